"""The Flask front end: native API, pages, health and metrics."""

from web.app import create_app

__all__ = ["create_app"]
