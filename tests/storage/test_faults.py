"""An object store in trouble: what is stored is whole, and what is read is what was stored."""

import hashlib

import pytest
from mypy_boto3_s3 import S3Client

from myriad.errors import ObjectDamaged, StorageUnavailable
from myriad.storage import S3Storage
from tests.storage.faulty_s3 import faulty_s3

OBJECTS = {f"images/{number}.png": bytes([number]) * 5000 for number in range(40)}


def test_with_patience_everything_is_stored_whole(
    bucket: str, s3_endpoint: str, s3_client: S3Client
) -> None:
    with faulty_s3(s3_endpoint, errors=10, stalls=2, cuts=10, stall_s=1) as faulty:
        store = S3Storage(bucket, "faults", endpoint_url=faulty.url, timeout_s=0.3)
        for key, data in OBJECTS.items():
            _patiently(lambda key=key, data=data: store.put(key, data, "image/png"))  # type: ignore[misc]
        for key, data in OBJECTS.items():
            assert _patiently(lambda key=key: store.get(key)) == data  # type: ignore[misc]
    assert all(faulty.done[fate] for fate in ("error", "stall", "cut")), faulty.done
    # As a browser gets it, past our own check.
    for key, data in OBJECTS.items():
        kept = s3_client.get_object(Bucket=bucket, Key=f"faults/{key}")["Body"].read()
        assert hashlib.sha256(kept).digest() == hashlib.sha256(data).digest()


def test_a_store_that_always_tears_is_not_believed(bucket: str, s3_endpoint: str) -> None:
    with faulty_s3(s3_endpoint, cuts=100) as faulty:
        store = S3Storage(bucket, "faults", endpoint_url=faulty.url)
        with pytest.raises(ObjectDamaged):
            store.put("images/torn.png", b"torn in two", "image/png")


def _patiently(ask):  # type: ignore[no-untyped-def]
    """As a worker does: put off, and tried again."""
    for _ in range(20):
        try:
            return ask()
        except StorageUnavailable:
            continue
    raise AssertionError("never")
