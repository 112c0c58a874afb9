"""Migrations and tables say the same, on both dialects."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from myriad.db.database import Database
from myriad.db.jobs import find_job
from myriad.db.migrate import is_current, upgrade
from myriad.db.tables import Base


def test_migrations_make_exactly_the_tables(database_url: str) -> None:
    upgrade(database_url)
    db = Database(database_url)
    with db.read() as session:
        context = MigrationContext.configure(session.connection())
        assert compare_metadata(context, Base.metadata) == []
    db.close()


def test_a_database_knows_whether_it_is_current(database_url: str) -> None:
    db = Database(database_url)
    assert not is_current(db)
    upgrade(database_url)
    assert is_current(db)
    upgrade(database_url)
    db.close()


def test_rows_of_the_first_release_are_kept(database_url: str) -> None:
    upgrade(database_url, "0001")
    db = Database(database_url)
    with db.write() as session:
        session.execute(text(_OLD_JOB))
        session.execute(text(_OLD_IMAGE))
    upgrade(database_url)
    record = find_job(db, "a" * 32, scope="")
    assert (record.notes, record.deadline_at) == ((), None)
    assert [(image.num_frames, image.fps) for image in record.images] == [(1, None)]
    # A web process of the release before knows nothing of the new columns.
    with db.write() as session:
        session.execute(text(_OLD_JOB.replace("a" * 32, "b" * 32)))
    assert find_job(db, "b" * 32, scope="").notes == ()
    db.close()


_OLD_JOB = f"""
INSERT INTO jobs (id, state, stage, model, params, priority, metadata, cache, exact_key,
    any_seed_key, attempt, tries, rewinds, dispatch_due, artifact_keys, webhook_events_filter,
    created_at)
VALUES ('{"a" * 32}', 'succeeded', 'decode', 'm', '{{}}', 0, '{{}}', 'miss', 'x', 'x', 1, 0, 0,
    '2026-01-01 00:00:00', '{{}}', '[]', '2026-01-01 00:00:00')
"""
_OLD_IMAGE = f"""
INSERT INTO images (job_id, "index", storage_key, sha256, size_bytes, content_type, seed, width,
    height)
VALUES ('{"a" * 32}', 0, 'images/a.png', 'x', 1, 'image/png', 1, 8, 8)
"""
