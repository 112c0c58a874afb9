"""A door: the routes of one interface that others defined, and how it words an error."""

from collections.abc import Callable
from functools import partial
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from myriad.errors import MyriadError
from web.auth import require_key
from web.errors import as_error, tell_when
from web.limits import check_rate

Say = Callable[[MyriadError], Response]
"""Words an error as the interface's own clients read it."""


class Door(APIBlueprint):
    """Routes whose callers are let in by API key, and who hear of errors in their own shape.

    It only translates: every route ends in `web.intake.accept` and `web.jobs`, so that
    limits, caches, tenants and cancellation are the same whatever door a job came through.
    """

    def __init__(
        self,
        name: str,
        import_name: str,
        *,
        say: Say,
        let_in: Callable[[], None] = require_key,
        **options: Any,
    ) -> None:
        super().__init__(name, import_name, enable_openapi=False, **options)
        self.before_request(let_in)
        self.before_request(check_rate)
        self.register_error_handler(Exception, partial(_worded, say))


def _worded(say: Say, raised: Exception) -> Response:
    error = as_error(raised)
    response = say(error)
    if error.retry_after_s is not None:
        tell_when(response, error)
    return response
