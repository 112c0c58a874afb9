"""Artifacts: in Redis when small, in storage when not, and missing rather than wrong."""

import socket

import pytest
from redis import Redis

from myriad.artifact import ArtifactStore, artifact_key
from myriad.errors import ArtifactMissing, NotFound
from myriad.job import Stage
from myriad.redis_client import connect_redis
from myriad.storage import LocalStorage

KEY = artifact_key("job", Stage.ENCODE, 1)
REDIS_KEY = f"myriad:artifact:{KEY}"
STORED = f"artifacts/{KEY}"


@pytest.fixture
def redis_client(redis_url: str) -> Redis:
    return connect_redis(redis_url)


@pytest.fixture
def artifacts(redis_client: Redis, local: LocalStorage) -> ArtifactStore:
    return ArtifactStore(redis_client, local, ttl_s=60, inline_bytes=100)


@pytest.fixture
def orphaned(local: LocalStorage) -> ArtifactStore:
    """Artifacts whose Redis is away."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = connect_redis(f"redis://127.0.0.1:{port}/0")
    return ArtifactStore(client, local, ttl_s=60, inline_bytes=100)


def test_small_ones_travel_in_redis_and_expire(
    artifacts: ArtifactStore, redis_client: Redis, local: LocalStorage
) -> None:
    assert artifacts.put(KEY, b"small") == KEY
    assert artifacts.get(KEY) == b"small"
    assert list(local.list_keys("")) == []
    assert 0 < redis_client.pttl(REDIS_KEY) <= 60_000


@pytest.mark.parametrize(("data", "durable"), [(b"x" * 101, False), (b"small", True)])
def test_large_and_durable_ones_survive_the_loss_of_redis(
    artifacts: ArtifactStore, redis_client: Redis, data: bytes, durable: bool
) -> None:
    artifacts.put(KEY, data, durable=durable)
    redis_client.flushall()
    assert artifacts.get(KEY) == data


def test_the_limit_itself_is_still_inline(artifacts: ArtifactStore, local: LocalStorage) -> None:
    artifacts.put(KEY, b"x" * 100)
    assert list(local.list_keys("")) == []


def test_a_lost_one_is_missing(artifacts: ArtifactStore, redis_client: Redis) -> None:
    artifacts.put(KEY, b"small")
    redis_client.flushall()
    with pytest.raises(ArtifactMissing):
        artifacts.get(KEY)


def test_a_torn_value_is_missing(artifacts: ArtifactStore, redis_client: Redis) -> None:
    artifacts.put(KEY, b"whole value")
    blob = redis_client.get(REDIS_KEY)
    assert isinstance(blob, bytes)
    for torn in (blob[:-1], blob[:10], b"", blob[:-1] + b"\0"):
        redis_client.set(REDIS_KEY, torn)
        with pytest.raises(ArtifactMissing):
            artifacts.get(KEY)


def test_a_torn_file_is_missing(artifacts: ArtifactStore, local: LocalStorage) -> None:
    artifacts.put(KEY, b"whole value", durable=True)
    local.put(STORED, local.get(STORED)[:-1], "application/octet-stream")
    with pytest.raises(ArtifactMissing):
        artifacts.get(KEY)


def test_storage_steps_in_for_a_redis_that_is_away(
    orphaned: ArtifactStore, local: LocalStorage
) -> None:
    orphaned.put(KEY, b"small")
    assert orphaned.get(KEY) == b"small"
    assert [key for key, _ in local.list_keys("")] == [STORED]
    with pytest.raises(ArtifactMissing):
        orphaned.get("another")
    orphaned.delete([KEY])  # best effort: must not raise


def test_storage_steps_in_for_a_redis_that_is_full(
    artifacts: ArtifactStore, redis_client: Redis
) -> None:
    redis_client.config_set("maxmemory", 1)
    try:
        artifacts.put(KEY, b"small")
    finally:
        redis_client.config_set("maxmemory", 0)
    redis_client.flushall()
    assert artifacts.get(KEY) == b"small"


def test_redis_keeps_room_for_what_has_no_other_place(
    artifacts: ArtifactStore, redis_client: Redis, local: LocalStorage
) -> None:
    used = redis_client.info("memory")["used_memory"]
    redis_client.config_set("maxmemory", int(used * 1.5))
    try:
        artifacts.put(KEY, b"small")
        assert [key for key, _ in local.list_keys("")] == [STORED]
        redis_client.set("a hint", b"is taken")
    finally:
        redis_client.config_set("maxmemory", 0)


def test_delete_forgets_both_kinds(artifacts: ArtifactStore, local: LocalStorage) -> None:
    artifacts.put("inline", b"small")
    artifacts.put("stored", b"small", durable=True)
    artifacts.delete(["inline", "stored", "never"])
    for key in ("inline", "stored"):
        with pytest.raises(ArtifactMissing):
            artifacts.get(key)
    with pytest.raises(NotFound):
        local.get("artifacts/stored")


def test_attempts_have_keys_of_their_own(artifacts: ArtifactStore) -> None:
    keys = {artifact_key("job", stage, attempt) for stage in Stage for attempt in range(3)}
    assert len(keys) == 9
    for key in keys:
        artifacts.put(key, key.encode(), durable=True)  # every one is a storage key
    assert all(artifacts.get(key) == key.encode() for key in keys)
