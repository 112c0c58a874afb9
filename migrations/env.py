"""Runs migrations against the database `myriad.db.migrate` names."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import create_engine, pool

from myriad.db.tables import Base, UtcDateTime


def plain_type(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """Written migrations name SQLAlchemy's own types: ours may change, they may not."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


engine = create_engine(context.config.attributes["database_url"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite alters a table by copying it; PostgreSQL ignores the flag.
        render_as_batch=True,
        render_item=plain_type,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
