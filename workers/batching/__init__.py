"""Requests that share forward passes: deciding (`batcher`) apart from doing (`hub`)."""
