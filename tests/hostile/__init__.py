"""Hostile input: malformed requests in great number, and what must never come of them."""
