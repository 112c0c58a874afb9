"""Indexes for what grew slow by the number of rows: cached answers, limits, retention

Old and new workers run side by side during an upgrade, so a migration only
expands: add a nullable column, a table, an index. Rename or drop in a later
release, when no running code reads the old shape. The indexes dropped here begin
as one of the new ones does, which old code then uses in their place.

Writers are not kept out on PostgreSQL: it takes longer, and outside of a transaction.

Revision: 0004, after 0003
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NEW = {
    "ix_jobs_exact_state": ("jobs", ["exact_key", "state", "completed_at"]),
    "ix_jobs_any_seed_state": ("jobs", ["any_seed_key", "state", "completed_at"]),
    "ix_jobs_key_leader": ("jobs", ["api_key_id", "state", "leader_id"]),
    "ix_events_created": ("events", ["created_at"]),
    "ix_idempotency_keys_job": ("idempotency_keys", ["job_id"]),
    "ix_idempotency_keys_expires": ("idempotency_keys", ["expires_at"]),
}
_OLD = {
    "ix_jobs_exact": ("jobs", ["exact_key"]),
    "ix_jobs_any_seed": ("jobs", ["any_seed_key"]),
    "ix_jobs_key": ("jobs", ["api_key_id", "state"]),
}


def upgrade() -> None:
    _replace(_OLD, _NEW)


def downgrade() -> None:
    _replace(_NEW, _OLD)


def _replace(
    these: Mapping[str, tuple[str, list[str]]], by: Mapping[str, tuple[str, list[str]]]
) -> None:
    with _beside_writers():
        for name, (table, columns) in by.items():
            _drop(name, table)  # a run that was killed may have left a part of it
            op.create_index(name, table, columns, postgresql_concurrently=True)
        for name, (table, _) in these.items():
            _drop(name, table)


def _drop(name: str, table: str) -> None:
    op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)


def _beside_writers() -> AbstractContextManager[None]:
    migration = op.get_context()
    is_postgres = migration.dialect.name == "postgresql"
    return migration.autocommit_block() if is_postgres else nullcontext()
