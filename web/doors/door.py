"""A door: the routes of one interface that others defined, and how it words an error."""

from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from myriad.errors import MyriadError
from web.auth import require_key
from web.errors import as_error

Say = Callable[[MyriadError], Response]
"""Words an error as the interface's own clients read it."""


class Door(APIBlueprint):
    """Routes whose callers are let in by API key, and who hear of errors in their own shape.

    It only translates: every route ends in `web.intake.accept` and `web.jobs`, so that
    limits, caches, tenants and cancellation are the same whatever door a job came through.
    """

    def __init__(self, name: str, import_name: str, *, say: Say, **options: Any) -> None:
        super().__init__(name, import_name, enable_openapi=False, **options)
        self.before_request(require_key)
        self.register_error_handler(Exception, lambda error: say(as_error(error)))
