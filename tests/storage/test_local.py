"""What the folder promises beyond the contract."""

import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from myriad.errors import ConfigError, InvalidRequest, NotFound, StorageUnavailable
from myriad.settings import Settings
from myriad.storage import LocalStorage, S3Storage, open_storage


@pytest.fixture
def folder(local: LocalStorage, tmp_path: Path) -> Path:
    return tmp_path / "storage"


def test_a_link_out_of_the_folder_leads_nowhere(local: LocalStorage, folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (folder / "door").symlink_to(outside)
    (folder / "file").symlink_to(outside / "secret")
    for key in ("door/secret", "file"):
        with pytest.raises(NotFound):
            local.get(key)
    with pytest.raises(InvalidRequest):
        local.put("door/new", b"1", "text/plain")
    local.delete("door/secret")
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_a_link_inside_the_folder_is_not_followed_on_write(
    local: LocalStorage, folder: Path
) -> None:
    local.put("a", b"first", "text/plain")
    (folder / "b").symlink_to(folder / "a")
    local.put("b", b"second", "text/plain")
    assert local.get("a") == b"first"


def test_the_web_must_serve_the_files(local: LocalStorage) -> None:
    assert local.presigned_url("a", ttl=timedelta(1), content_type="image/png") is None


def test_a_reader_never_sees_a_part(local: LocalStorage) -> None:
    """Readers race 50 overwrites; each must see one whole version."""
    versions = [bytes([number]) * 300_000 for number in range(2)]
    local.put("a", versions[0], "text/plain")
    seen: list[bytes] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(local.get("a"))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(50):
        local.put("a", versions[number % 2], "text/plain")
    done.set()
    reader.join()
    assert set(seen) <= set(versions)


def test_a_failed_write_leaves_the_old_bytes_and_no_litter(
    local: LocalStorage, folder: Path
) -> None:
    local.put("images/a", b"old", "text/plain")
    (folder / "images" / "b").mkdir()  # replacing a folder by a file fails
    with pytest.raises(StorageUnavailable):
        local.put("images/b", b"new", "text/plain")
    assert local.get("images/a") == b"old"
    assert sorted(os.listdir(folder / "images")) == ["a", "b"]


def test_unfinished_writes_are_not_listed(local: LocalStorage, folder: Path) -> None:
    (folder / ".x.part").write_bytes(b"half")
    assert list(local.list_keys("")) == []


def test_a_folder_that_cannot_be_made_is_storage_away(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageUnavailable):
        LocalStorage(tmp_path / "file" / "storage")


@pytest.mark.usefixtures("aws_credentials")
def test_settings_choose_the_store(tmp_path: Path) -> None:
    assert isinstance(open_storage(Settings(home=tmp_path)), LocalStorage)
    assert isinstance(open_storage(Settings(storage_url="s3://bucket/a/b")), S3Storage)
    for url in ("s3://", "s3:///prefix", "ftp://bucket", "s3://bucket/a?b"):
        with pytest.raises(ConfigError):
            open_storage(Settings(storage_url=url))
