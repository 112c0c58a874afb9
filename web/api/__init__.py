"""The native API: a superset of a Replicate prediction, under /api/v1."""

from web.api.routes import native

__all__ = ["native"]
