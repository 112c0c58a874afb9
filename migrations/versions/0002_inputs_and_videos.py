"""Inputs, videos, deadlines and notes

Old and new workers run side by side during an upgrade, so a migration only
expands: add a nullable column, a table, an index. Rename or drop in a later
release, when no running code reads the old shape. New columns that are never
null have a default in the database: old code does not fill them.

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inputs",
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", "digest"),
    )
    op.add_column("jobs", sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "jobs", sa.Column("notes", sa.JSON(), nullable=False, server_default=sa.text("'[]'"))
    )
    op.add_column("jobs", sa.Column("avoid_pool", sa.String(length=64), nullable=True))
    op.create_index("ix_jobs_deadline", "jobs", ["state", "deadline_at"])
    op.add_column(
        "images",
        sa.Column("num_frames", sa.Integer(), nullable=False, server_default=sa.text("1")),
    )
    op.add_column("images", sa.Column("fps", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("images", "fps")
    op.drop_column("images", "num_frames")
    op.drop_index("ix_jobs_deadline", "jobs")
    op.drop_column("jobs", "avoid_pool")
    op.drop_column("jobs", "notes")
    op.drop_column("jobs", "deadline_at")
    op.drop_table("inputs")
