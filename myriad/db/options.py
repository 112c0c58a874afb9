"""What callers have set for themselves, as the model that AUTOMATIC1111's options choose."""

from typing import Any

from sqlalchemy.exc import IntegrityError

from myriad.db.database import Database
from myriad.db.tables import OptionRow

_RACES = 3


def read_option(db: Database, name: str, *, scope: str) -> Any:
    """What the caller of `scope` has set, None if nothing."""
    with db.read() as session:
        row = session.get(OptionRow, (scope, name))
        return None if row is None else row.value


def set_option(db: Database, name: str, value: Any, *, scope: str) -> None:
    """Remember the value (plain JSON) for this caller alone."""
    for _ in range(_RACES - 1):
        try:
            return _set(db, name, value, scope)
        except IntegrityError:
            continue  # set for the first time, twice at once
    return _set(db, name, value, scope)


def _set(db: Database, name: str, value: Any, scope: str) -> None:
    with db.write() as session:
        session.merge(OptionRow(scope=scope, name=name, value=value))
