"""Scopes and rotation of keys, use of the farm, batches, options, and what retention looks up

Old and new workers run side by side during an upgrade, so a migration only
expands: add a nullable column, a table, an index. Rename or drop in a later
release, when no running code reads the old shape. New columns that are never
null have a default in the database: old code does not fill them.

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_EMPTY = sa.text("'{}'")


def upgrade() -> None:
    _keys()
    _jobs()
    op.add_column(
        "images", sa.Column("flagged", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_index("ix_images_storage", "images", ["storage_key"])
    op.create_index("ix_images_thumbnail", "images", ["thumbnail_key"])
    op.add_column("inputs", sa.Column("used_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_inputs_digest", "inputs", ["digest"])
    op.add_column("webhook_deliveries", sa.Column("host", sa.String(length=255), nullable=True))
    op.add_column("webhook_deliveries", sa.Column("batch_id", sa.String(length=32), nullable=True))
    op.create_index(
        "ix_webhook_deliveries_host", "webhook_deliveries", ["state", "host", "next_attempt_at"]
    )
    op.create_index("ix_stage_runs_outcome", "stage_runs", ["outcome", "finished_at"])
    op.add_column("workers", sa.Column("figures", sa.JSON(), nullable=False, server_default=_EMPTY))
    _tables()


def _keys() -> None:
    everything = sa.text("""'["read", "write"]'""")
    op.add_column(
        "api_keys", sa.Column("scopes", sa.JSON(), nullable=False, server_default=everything)
    )
    op.add_column("api_keys", sa.Column("limits", sa.JSON(), nullable=False, server_default=_EMPTY))
    op.add_column("api_keys", sa.Column("old_key_hash", sa.String(length=64), nullable=True))
    op.add_column(
        "api_keys", sa.Column("old_expires_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index("ix_api_keys_old_key_hash", "api_keys", ["old_key_hash"])


def _jobs() -> None:
    op.add_column("jobs", sa.Column("batch_id", sa.String(length=32), nullable=True))
    op.add_column("jobs", sa.Column("cost", sa.Double(), nullable=False, server_default="0"))
    op.add_column(
        "jobs", sa.Column("door", sa.String(length=16), nullable=False, server_default="native")
    )
    op.add_column("jobs", sa.Column("traceparent", sa.String(length=64), nullable=True))
    op.create_index("ix_jobs_batch", "jobs", ["batch_id", "state"])
    op.create_index("ix_jobs_completed", "jobs", ["completed_at"])
    op.create_index("ix_jobs_key", "jobs", ["api_key_id", "state"])
    is_live = sa.text("state IN ('queued', 'running')")
    op.create_index(
        "ix_jobs_live",
        "jobs",
        ["stage", "model", "leader_id", "lease_owner", "created_at"],
        sqlite_where=is_live,
        postgresql_where=is_live,
    )
    op.create_index(
        "ix_jobs_share",
        "jobs",
        ["stage", "state", "api_key_id", sa.text("priority DESC"), "created_at"],
    )


def _tables() -> None:
    op.create_table(
        "usage",
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.Column("cost", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "day"),
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("api_key_id", sa.String(length=32), nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("webhook", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("canceled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_batches_page", "batches", ["api_key_id", "created_at"])
    op.create_table(
        "options",
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "name"),
    )


def downgrade() -> None:
    for table in ("options", "batches", "usage"):
        op.drop_table(table)
    for table, indexes in _INDEXES.items():
        for index in indexes:
            op.drop_index(index, table)
    for table, names in _COLUMNS.items():
        for name in names:
            op.drop_column(table, name)


_INDEXES = {
    "api_keys": ("ix_api_keys_old_key_hash",),
    "stage_runs": ("ix_stage_runs_outcome",),
    "webhook_deliveries": ("ix_webhook_deliveries_host",),
    "jobs": ("ix_jobs_live", "ix_jobs_share", "ix_jobs_key", "ix_jobs_completed", "ix_jobs_batch"),
    "images": ("ix_images_thumbnail", "ix_images_storage"),
    "inputs": ("ix_inputs_digest",),
}
_COLUMNS = {
    "workers": ("figures",),
    "webhook_deliveries": ("batch_id", "host"),
    "inputs": ("used_at",),
    "images": ("flagged",),
    "jobs": ("traceparent", "door", "cost", "batch_id"),
    "api_keys": ("old_expires_at", "old_key_hash", "limits", "scopes"),
}
