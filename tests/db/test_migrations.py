"""Migrations and tables say the same, on both dialects."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from myriad import clock
from myriad.db.database import Database
from myriad.db.inputs import find_inputs
from myriad.db.jobs import find_job
from myriad.db.keys import find_key
from myriad.db.migrate import alembic_config, check_migrated, is_current, upgrade
from myriad.db.tables import Base
from myriad.db.workers import live_workers, unfit_workers
from myriad.errors import ConfigError, DatabaseUnavailable
from myriad.key import Scope
from tests.processes import ROOT, wait_until


def test_migrations_make_exactly_the_tables(database_url: str) -> None:
    upgrade(database_url)
    assert differences(database_url) == []


def differences(database_url: str) -> list[object]:
    """What the database lacks, or has too much, of the tables as the code has them."""
    db = Database(database_url)
    with db.read() as session:
        context = MigrationContext.configure(session.connection())
        found: list[object] = compare_metadata(context, Base.metadata)
    db.close()
    return found


def migrating(database_url: str, what: str, where: str) -> "subprocess.Popen[bytes]":
    command = (sys.executable, "-m", "tests.db.migrating", database_url, what, where)
    return subprocess.Popen(command, cwd=ROOT)


# In the midst of one with new columns, and of one with indexes built beside writers.
@pytest.mark.parametrize("index", ["ix_jobs_live", "ix_events_created"])
def test_one_that_is_killed_half_way_can_be_run_again(database_url: str, index: str) -> None:
    assert migrating(database_url, "die", index).wait(60) == -signal.SIGKILL
    upgrade(database_url)
    assert differences(database_url) == []


def test_each_can_be_taken_back(database_url: str) -> None:
    upgrade(database_url)
    for revision in ("0003", "0002", "0001", "base"):
        command.downgrade(alembic_config(database_url), revision)
    upgrade(database_url)
    assert differences(database_url) == []


def test_two_at_once_do_it_once(database_url: str, tmp_path: Path) -> None:
    both = [migrating(database_url, "meet", str(tmp_path)) for _ in range(2)]
    wait_until(lambda: len(list(tmp_path.glob("here-*"))) == 2, what="both are connected")
    (tmp_path / "go").touch()
    assert [process.wait(60) for process in both] == [0, 0]
    assert differences(database_url) == []


def test_writers_go_on_while_indexes_are_built(postgres_url: str, tmp_path: Path) -> None:
    upgrade(postgres_url, "0003")
    db = Database(postgres_url)
    (tmp_path / "go").touch()
    under_way = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE :query"
    with db.write() as session:
        session.execute(text(_OLD_JOB))
        process = migrating(postgres_url, "meet", str(tmp_path))

        def is_building() -> bool:
            with db.read() as looking:
                return bool(looking.scalar(text(under_way), {"query": "CREATE INDEX%"}))

        wait_until(is_building, what="an index is being built, which waits for this transaction")
        with db.write() as another:
            another.execute(text(_OLD_JOB.replace("a" * 32, "b" * 32)))
    assert process.wait(60) == 0
    db.close()
    assert differences(postgres_url) == []


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


def test_the_release_before_works_beside_this_one(database_url: str) -> None:
    """Its processes run on during an upgrade, and know nothing of the new columns."""
    upgrade(database_url, "0002")
    db = Database(database_url)
    _insert(db, "1")
    upgrade(database_url)
    _insert(db, "2")
    assert [worker.name for worker in live_workers(db, within_s=60)] == ["gpu@1", "gpu@2"]
    assert unfit_workers(db) == {}
    for number in "12":
        key = find_key(db, number * 64)
        assert key is not None
        assert key.scopes == {Scope.READ, Scope.WRITE}
        assert set(find_inputs(db, [number * 64], scope="")) == {number * 64}
        (image,) = find_job(db, number * 32, scope="").images
        assert image.flagged is False
    db.close()


def _insert(db: Database, number: str) -> None:
    """Rows of each table that has grown since, as the statements of that release make them."""
    with db.write() as session:
        for statement in (_OLD_JOB, _OLD_IMAGE, _OLD_KEY, _OLD_INPUT, _OLD_WORKER):
            old = statement.replace("a" * 32, number * 32).replace("{n}", number)
            session.execute(text(old), {"now": clock.now()} if ":now" in old else {})


def test_a_later_release_is_no_reason_to_stop(database_url: str) -> None:
    upgrade(database_url)
    db = Database(database_url)
    with db.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert is_current(db)
    check_migrated(db)
    db.close()


def test_an_earlier_one_is_said_so_and_starts_nothing(database_url: str) -> None:
    upgrade(database_url, "0002")
    db = Database(database_url)
    assert not is_current(db)
    with pytest.raises(ConfigError, match="myriad migrate"):
        check_migrated(db)
    with pytest.raises(DatabaseUnavailable, match="myriad migrate"):
        find_job(db, "a" * 32, scope="")
    db.close()


def test_a_database_that_is_away_is_given_time() -> None:
    db = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    check_migrated(db)
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
_OLD_KEY = f"""
INSERT INTO api_keys (id, name, key_hash, created_at)
VALUES ('{"a" * 32}', 'old', '{"{n}" * 64}', :now)
"""
_OLD_INPUT = f"""
INSERT INTO inputs (scope, digest, size_bytes, width, height, created_at)
VALUES ('', '{"{n}" * 64}', 1, 8, 8, :now)
"""
_OLD_WORKER = """
INSERT INTO workers (name, pool, device, slots, models, started_at, seen_at)
VALUES ('gpu@{n}', 'gpu', 'cuda', 4, '[]', :now, :now)
"""
