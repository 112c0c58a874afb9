"""Checkpoints: the last one stands, and one that is lost, torn or foreign is as good as none."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis import Redis

from myriad.artifact import ArtifactStore, artifact_key
from myriad.errors import StorageUnavailable
from myriad.job import Stage
from myriad.lease import Lease
from myriad.redis_client import connect_redis
from myriad.storage.base import StoredObject
from myriad.storage.local import LocalStorage
from tasks.checkpoint import Checkpoints, checkpoint_key
from tests.submissions import make_submission

KEY = artifact_key("a" * 32, Stage.ENCODE, attempt=1)
LEASE = Lease(
    job_id="a" * 32,
    stage=Stage.DENOISE,
    attempt=2,
    tries=1,
    rewinds=0,
    model="tiny",
    params=make_submission().params,
    artifact_key=KEY,
    owner="worker",
    created_at=datetime(2026, 11, 1, tzinfo=UTC),
    metadata={},
)
NEXT = replace(LEASE, attempt=3)


class AwayStorage(LocalStorage):
    """A folder that takes nothing."""

    def put(self, key: str, data: bytes, content_type: str) -> StoredObject:
        raise StorageUnavailable("away")


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    client = connect_redis(redis_url)
    yield client
    client.close()


@pytest.fixture
def store(redis: Redis, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(redis, LocalStorage(tmp_path), ttl_s=60, inline_bytes=10)


@pytest.fixture
def checkpoints(store: ArtifactStore) -> Iterator[Checkpoints]:
    opened = Checkpoints(store)
    yield opened
    opened.close()


@pytest.mark.parametrize("size", [5, 500], ids=["inline", "in storage"])
def test_the_next_attempt_finds_the_last_one_given(checkpoints: Checkpoints, size: int) -> None:
    for number in range(50):
        checkpoints.keep(LEASE, bytes([number]) * size)
    checkpoints.flush(LEASE)
    assert checkpoints.read(NEXT) == bytes([49]) * size
    checkpoints.forget(NEXT)
    assert checkpoints.read(NEXT) is None


def test_the_first_attempt_at_an_input_has_none(checkpoints: Checkpoints) -> None:
    checkpoints.keep(LEASE, b"from elsewhere")
    checkpoints.flush(LEASE)
    assert checkpoints.read(LEASE) is None


def test_after_a_rewind_the_old_one_is_not_found(checkpoints: Checkpoints) -> None:
    checkpoints.keep(LEASE, b"old")
    checkpoints.flush(LEASE)
    rewound = replace(LEASE, attempt=5, artifact_key=artifact_key("a" * 32, Stage.ENCODE, 3))
    assert checkpoints.read(rewound) is None


def test_one_who_took_the_run_over_finds_it(checkpoints: Checkpoints) -> None:
    checkpoints.keep(LEASE, b"state")
    checkpoints.flush(LEASE)
    assert checkpoints.read(replace(NEXT, job_id="b" * 32)) == b"state"


def test_a_torn_one_is_none(checkpoints: Checkpoints, redis: Redis) -> None:
    checkpoints.keep(LEASE, b"state")
    checkpoints.flush(LEASE)
    name = f"myriad:artifact:{checkpoint_key(LEASE)}"
    blob = redis.get(name)
    assert isinstance(blob, bytes)
    redis.set(name, blob[:-1])
    assert checkpoints.read(NEXT) is None


def test_one_that_cannot_be_kept_harms_nobody(redis: Redis, tmp_path: Path) -> None:
    store = ArtifactStore(redis, AwayStorage(tmp_path), ttl_s=60, inline_bytes=10)
    checkpoints = Checkpoints(store)
    checkpoints.keep(LEASE, b"much too large for Redis")
    checkpoints.flush(LEASE)
    checkpoints.keep(LEASE, b"small")
    checkpoints.close()
    assert checkpoints.read(NEXT) == b"small"


def test_what_was_given_is_written_before_the_end(
    store: ArtifactStore, checkpoints: Checkpoints
) -> None:
    leaving = Checkpoints(store)
    leaving.keep(LEASE, b"last")
    leaving.close()
    assert checkpoints.read(NEXT) == b"last"
