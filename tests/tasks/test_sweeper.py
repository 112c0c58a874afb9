"""Stored bytes that nobody has go; those of live jobs, of callers, and young ones stay."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import boto3
import pytest
from sqlalchemy import update

from myriad import clock
from myriad.artifact import STORAGE_PREFIX, ArtifactStore, artifact_key, checkpoint_of
from myriad.claimant import Claimant
from myriad.db.cancel import cancel_job
from myriad.db.claim import claim
from myriad.db.commit import advance, finish
from myriad.db.delete import delete_job
from myriad.db.inputs import keep_input
from myriad.db.intake import submit
from myriad.db.tables import JobRow
from myriad.embedded import EmbeddedValkey
from myriad.farm import Farm, open_farm
from myriad.forget import forget
from myriad.inputs import INPUT_TYPE, input_key
from myriad.job import Stage
from myriad.lease import Lease
from myriad.log_files import LogFiles
from myriad.settings import Settings
from myriad.storage import S3Storage, Storage
from myriad.up.log_tail import LogTail
from tasks.app import create_celery
from tasks.dispatch import Dispatcher
from tasks.files import PICTURE_PREFIX, job_of_picture, store_picture
from tasks.janitor import Janitor
from tasks.runner import Picture
from tasks.scrub import Scrub
from tasks.sweeper import Sweeper
from tests.processes import wait_until
from tests.submissions import make_submission

WORKER = Claimant("all@host.1.aa", "all", "cpu")
PNG = Picture(b"pixels", "image/png", 8, 8, seed=1, thumbnail=b"small")


@pytest.fixture(scope="module")
def s3_storage(s3_endpoint: str) -> Iterator[S3Storage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        client = boto3.session.Session().client(
            "s3", region_name="us-east-1", endpoint_url=s3_endpoint
        )
        client.create_bucket(Bucket="swept")
        client.close()
        yield S3Storage("swept", endpoint_url=s3_endpoint)


@pytest.fixture(params=["local", "s3"])
def farm(
    request: pytest.FixtureRequest, tmp_path: Path, migrated_sqlite_url: str, redis_url: str
) -> Iterator[Farm]:
    opened = open_farm(
        Settings(
            home=tmp_path,
            database_url=migrated_sqlite_url,
            redis_url=redis_url,
            keep_results_days=7,
        )
    )
    if request.param == "s3":
        storage: Storage = request.getfixturevalue("s3_storage")
        artifacts = ArtifactStore(opened.redis, storage, 60, 0)
        opened = replace(opened, storage=storage, artifacts=artifacts)
    yield opened
    for key, _ in list(opened.storage.list_keys("")):
        opened.storage.delete(key)
    opened.close()


def decoding(farm: Farm, prompt: str) -> Lease:
    """A job that is being decoded."""
    job_id = submit(farm.db, make_submission(prompt)).job_id
    lease = None
    for stage in Stage:
        lease = claim(farm.db, job_id, stage, WORKER, lease_s=60)
        assert lease is not None
        if stage is not Stage.DECODE:
            advance(farm.db, lease, f"{stage}-out")
    assert lease is not None
    return lease


def store(farm: Farm, job_id: str) -> set[str]:
    row = store_picture(farm.storage, job_id, 0, PNG)
    assert row.thumbnail_key is not None
    return {row.storage_key, row.thumbnail_key}


def keys(farm: Farm, prefix: str) -> set[str]:
    return {key for key, _ in farm.storage.list_keys(prefix)}


def soon() -> timedelta:
    """S3 tells whole seconds."""
    return timedelta(seconds=5)


def test_orphans_go_and_what_may_yet_get_a_row_stays(farm: Farm) -> None:
    done, drawn, gone = (decoding(farm, text) for text in ("done", "being drawn", "canceled"))
    wanted = store(farm, done.job_id)
    assert finish(farm.db, done, [store_picture(farm.storage, done.job_id, 0, PNG)])
    wanted |= store(farm, drawn.job_id)
    cancel_job(farm.db, gone.job_id, scope="")
    store(farm, gone.job_id)
    store(farm, "0" * 32)
    kept, left = input_key("a" * 64), input_key("b" * 64)
    for key in (kept, left):
        farm.storage.put(key, b"png", INPUT_TYPE)
    keep_input(farm.db, scope="", digest="a" * 64, size_bytes=3, width=1, height=1)
    sweeper = Sweeper(farm)
    everything = keys(farm, "")
    sweeper.drop_orphans(clock.now() - timedelta(hours=1))
    assert keys(farm, "") == everything  # all are young
    for _ in range(2):
        sweeper.drop_orphans(clock.now() + soon())
    assert keys(farm, PICTURE_PREFIX) == wanted
    assert keys(farm, "inputs/") == {kept}


def test_what_was_there_before_the_database_is_left(farm: Farm) -> None:
    store(farm, "0" * 32)
    offset = farm.settings.home / "offset"
    offset.write_text("3600")
    clock.follow(offset)
    try:
        sweeper = Sweeper(farm)  # an hour later, over a database that is new
        for _ in range(2):
            sweeper.drop_orphans(clock.now())
    finally:
        clock.follow(None)
    assert len(keys(farm, PICTURE_PREFIX)) == 2


def test_old_results_go_with_their_bytes(farm: Farm) -> None:
    lease = decoding(farm, "old")
    store(farm, lease.job_id)
    assert finish(farm.db, lease, [store_picture(farm.storage, lease.job_id, 0, PNG)])
    janitor = Janitor(farm, Dispatcher(farm, create_celery(farm.settings)))
    assert not janitor.sweep()
    assert len(keys(farm, PICTURE_PREFIX)) == 2
    with farm.db.write() as session:
        session.execute(update(JobRow).values(completed_at=clock.now() - timedelta(days=8)))
    assert not janitor.sweep()
    assert keys(farm, PICTURE_PREFIX) == set()


def test_artifacts_go_when_their_job_has_ended(farm: Farm) -> None:
    short = replace(farm, settings=farm.settings.model_copy(update={"artifact_ttl_s": -5}))
    live, ended = (submit(farm.db, make_submission(text)).job_id for text in ("live", "ended"))
    cancel_job(farm.db, ended, scope="")
    for job_id in (live, ended):
        farm.artifacts.put(f"{job_id}-encode-1", b"blob", durable=True)
    Sweeper(short).drop_artifacts()
    assert keys(farm, STORAGE_PREFIX) == {f"{STORAGE_PREFIX}{live}-encode-1"}


def test_the_heir_of_a_run_keeps_what_it_goes_on_from(farm: Farm) -> None:
    short = replace(farm, settings=farm.settings.model_copy(update={"artifact_ttl_s": -5}))
    leader, heir = (submit(farm.db, make_submission()).job_id for _ in range(2))
    lease = claim(farm.db, leader, Stage.ENCODE, WORKER, lease_s=60)
    assert lease is not None
    made = artifact_key(leader, Stage.ENCODE, lease.attempt)
    for key in (made, checkpoint_of(made), artifact_key(leader, Stage.ENCODE, 0)):
        farm.artifacts.put(key, b"blob", durable=True)
    assert advance(farm.db, lease, made)
    cancel_job(farm.db, leader, scope="")
    Sweeper(short).drop_artifacts()
    assert keys(farm, STORAGE_PREFIX) == {
        STORAGE_PREFIX + made,
        STORAGE_PREFIX + checkpoint_of(made),
    }
    cancel_job(farm.db, heir, scope="")
    Sweeper(short).drop_artifacts()
    assert keys(farm, STORAGE_PREFIX) == set()


def test_a_pictures_key_names_its_job(farm: Farm) -> None:
    for key in store(farm, "f" * 32):
        assert job_of_picture(key) == "f" * 32


def test_deleted_words_stand_in_no_file(
    tmp_path: Path, migrated_sqlite_url: str, broker: EmbeddedValkey
) -> None:
    """Neither in SQLite's file and log nor in Redis' own."""
    farm = open_farm(
        Settings(home=tmp_path, database_url=migrated_sqlite_url, redis_url=broker.url)
    )
    job_id = submit(farm.db, make_submission("canary-81d0")).job_id
    farm.signals.set_preview(job_id, b"canary-81d0")
    assert len(files_with(tmp_path, b"canary-81d0")) == 2
    forget(farm, delete_job(farm.db, job_id, scope=""))
    Scrub(farm).now()
    wait_until(
        lambda: files_with(tmp_path, b"canary-81d0") == [],
        within_s=20,
        what=lambda: str(files_with(tmp_path, b"canary-81d0")),
    )
    farm.close()


def files_with(folder: Path, word: bytes) -> list[Path]:
    found = []
    for path in folder.rglob("*"):
        with suppress(OSError):  # the broker writes its file anew and drops the old one
            if path.is_file() and word in path.read_bytes():
                found.append(path)
    return found


def test_logs_are_put_aside_at_the_end_of_a_day(tmp_path: Path) -> None:
    log, offset = tmp_path / "web.log", tmp_path / "offset"
    offset.write_text("0")
    clock.follow(offset)
    try:
        tail = LogTail(log)
        with log.open("ab") as writer:
            files = LogFiles(tmp_path, keep_days=7)
            writer.write(b"[warning  ] first\n")
            writer.flush()
            files.sweep()
            assert tail.warnings() == ["[warning  ] first"]
            day = clock.now().date()
            offset.write_text(str(86_400))
            files.sweep()
            writer.write(b"[warning  ] 2nd\n")
            writer.flush()
            aside = tmp_path / f"web.{day}.old"
            assert (aside.read_bytes(), log.read_bytes()) == (
                b"[warning  ] first\n",
                b"[warning  ] 2nd\n",
            )
            assert tail.warnings() == ["[warning  ] 2nd"]
        tail.close()
        past = (clock.now() - timedelta(days=8)).timestamp()
        os.utime(aside, (past, past))
        files.sweep()
        assert not aside.exists()
        assert log.exists()
    finally:
        clock.follow(None)


def test_a_day_ends_though_nothing_ran_at_midnight(tmp_path: Path) -> None:
    log, offset = tmp_path / "web.log", tmp_path / "offset"
    offset.write_text("0")
    clock.follow(offset)
    try:
        LogFiles(tmp_path, keep_days=7)
        log.write_bytes(b"yesterday")
        day = clock.now().date()
        offset.write_text(str(86_400))
        for _ in range(2):
            LogFiles(tmp_path, keep_days=7).sweep()
    finally:
        clock.follow(None)
    assert (tmp_path / f"web.{day}.old").read_bytes() == b"yesterday"
    assert log.read_bytes() == b""
