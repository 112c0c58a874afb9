"""Figures for Prometheus."""

from web.metrics.exposition import CONTENT_TYPE, Metrics, attach_metrics, current_metrics

__all__ = ["CONTENT_TYPE", "Metrics", "attach_metrics", "current_metrics"]
