"""Which caller handed in which pictures."""

from collections.abc import Collection

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from myriad import clock
from myriad.db.database import Database
from myriad.db.tables import InputRow
from myriad.errors import Conflict, InvalidRequest
from myriad.record import InputRecord

_RACES = 3


def keep_input(
    db: Database, *, scope: str, digest: str, size_bytes: int, width: int, height: int
) -> InputRecord:
    """Write down that the caller of `scope` has this input; the second time only its age changes.

    Its bytes must be in storage already: a row promises that they can be read.
    """
    row = InputRow(
        scope=scope,
        digest=digest,
        size_bytes=size_bytes,
        width=width,
        height=height,
        created_at=clock.now(),
    )
    for _ in range(_RACES):
        try:
            return _merge(db, row)
        except (IntegrityError, StaleDataError):
            continue  # the same picture, handed in or forgotten at the same moment
    raise Conflict("this picture is handed in too often at this moment; try again")


def find_inputs(db: Database, digests: Collection[str], *, scope: str) -> dict[str, InputRecord]:
    """Those of `digests` that the caller of `scope` handed in, by digest."""
    if not digests:
        return {}
    query = select(InputRow).where(InputRow.scope == scope, InputRow.digest.in_(digests))
    with db.read() as session:
        return {row.digest: _record(row) for row in session.scalars(query)}


def use_inputs(session: Session, digests: Collection[str], *, scope: str) -> None:
    """A job of the caller names these: they are young again, and stay while it is there.

    Raises InvalidRequest for one that was forgotten since the request was checked.
    """
    for digest in sorted(digests):
        is_it = (InputRow.scope == scope) & (InputRow.digest == digest)
        used = update(InputRow).where(is_it).values(used_at=clock.now())
        if session.scalar(used.returning(InputRow.digest)) is None:
            raise InvalidRequest(
                f"the input {digest} is no longer there; hand the picture in again"
            )


def _merge(db: Database, row: InputRow) -> InputRecord:
    with db.write() as session:
        return _record(_merged(session, row))


def _merged(session: Session, row: InputRow) -> InputRow:
    merged = session.merge(row)
    session.flush()
    return merged


def _record(row: InputRow) -> InputRecord:
    return InputRecord(
        digest=row.digest,
        width=row.width,
        height=row.height,
        size_bytes=row.size_bytes,
        created_at=row.created_at,
    )
