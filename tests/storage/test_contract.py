"""What every store promises."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from myriad.errors import InvalidRequest, NotFound
from myriad.storage import Storage, StoredObject

HOSTILE = [
    "",
    ".",
    "..",
    "../secret",
    "images/../../secret",
    "/etc/passwd",
    "images//a.png",
    "images/",
    "images/.hidden",
    "images/a\0.png",
    "images/a\n.png",
    "images\\..\\a.png",
    "C:/a.png",
    "%2e%2e/secret",
    "~/secret",
    "images/ä.png",
    "a" * 256,
]


def test_what_is_put_can_be_got(storage: Storage) -> None:
    stored = storage.put("images/ab/cd.png", b"pixels", "image/png")
    digest = hashlib.sha256(b"pixels").hexdigest()
    assert stored == StoredObject("images/ab/cd.png", digest, 6, "image/png")
    assert storage.get("images/ab/cd.png") == b"pixels"


@pytest.mark.parametrize("data", [b"", b"\0\r\n\xff", bytes(range(256)) * 4096])
def test_bytes_come_back_as_they_were(storage: Storage, data: bytes) -> None:
    storage.put("a.bin", data, "application/octet-stream")
    assert storage.get("a.bin") == data


def test_a_key_may_be_written_again(storage: Storage) -> None:
    storage.put("a.bin", b"a longer first version", "text/plain")
    storage.put("a.bin", b"second", "text/plain")
    assert storage.get("a.bin") == b"second"


def test_a_missing_key_is_not_found(storage: Storage) -> None:
    with pytest.raises(NotFound):
        storage.get("images/none.png")


def test_deleting_twice_is_no_error(storage: Storage) -> None:
    storage.put("a.bin", b"1", "text/plain")
    storage.delete("a.bin")
    storage.delete("a.bin")
    with pytest.raises(NotFound):
        storage.get("a.bin")


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_keys_name_nothing(storage: Storage, key: str) -> None:
    with pytest.raises(InvalidRequest):
        storage.put(key, b"1", "text/plain")
    with pytest.raises(NotFound):
        storage.get(key)
    with pytest.raises(NotFound):
        storage.presigned_url(key, ttl=timedelta(minutes=1), content_type="image/png")
    storage.delete(key)
    assert list(storage.list_keys("")) == []


def test_listing_finds_what_starts_with_the_prefix(storage: Storage) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    for key in ("artifacts/a-1", "artifacts/b-1", "artifacts2", "images/a.png"):
        storage.put(key, b"1", "text/plain")
    found = dict(storage.list_keys("artifacts/"))
    assert sorted(found) == ["artifacts/a-1", "artifacts/b-1"]
    assert all(before < changed for changed in found.values())
    assert sorted(key for key, _ in storage.list_keys("artifacts/a")) == ["artifacts/a-1"]
    assert len(list(storage.list_keys(""))) == 4
    assert list(storage.list_keys("nothing/here/")) == []
