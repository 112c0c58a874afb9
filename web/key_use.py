"""When a key was last used: written down after the answer has gone out."""

from functools import partial

import structlog
from flask import Response, after_this_request

from myriad import clock
from myriad.db.database import Database
from myriad.db.keys import note_use
from myriad.errors import MyriadError
from myriad.key import ApiKey

_log = structlog.get_logger(__name__)


def note_use_later(db: Database, key: ApiKey) -> None:
    """Have it written once this request is answered, if it was not in the last minute."""
    if not key.is_use_due(clock.now()):
        return

    @after_this_request
    def on_close(response: Response) -> Response:
        response.call_on_close(partial(_note, db, key))
        return response


def _note(db: Database, key: ApiKey) -> None:
    try:
        note_use(db, key.id)
    except MyriadError as error:
        _log.warning("key_use_not_noted", key=key.id, error=error.message)
