"""The native API: a superset of a Replicate prediction, under /api/v1."""

from web.api.batches import native

__all__ = ["native"]
