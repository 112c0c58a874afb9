"""The statements that something says to the database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import event

from myriad.db.database import Database


@contextmanager
def listening(db: Database, listener: Callable[..., None]) -> Iterator[None]:
    """Call the listener after each statement, as SQLAlchemy's `after_cursor_execute` does."""
    with db.read() as session:
        engine = session.get_bind()
    event.listen(engine, "after_cursor_execute", listener)
    try:
        yield
    finally:
        event.remove(engine, "after_cursor_execute", listener)


@contextmanager
def statements(db: Database) -> Iterator[list[tuple[str, object]]]:
    """What was said in the meantime, each with its parameters."""
    said: list[tuple[str, object]] = []

    def note(
        _connection: object, _cursor: object, statement: str, parameters: object, *_: object
    ) -> None:
        said.append((statement, parameters))

    with listening(db, note):
        yield said
