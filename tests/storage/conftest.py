"""Both stores, behind one fixture."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from mypy_boto3_s3 import S3Client

from myriad.storage import LocalStorage, S3Storage, Storage


@pytest.fixture(scope="package")
def aws_credentials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield


@pytest.fixture(scope="package")
def s3_client(s3_endpoint: str, aws_credentials: None) -> Iterator[S3Client]:
    """A client past our own code, to set traps with."""
    client = boto3.session.Session().client("s3", region_name="us-east-1", endpoint_url=s3_endpoint)
    yield client
    client.close()


@pytest.fixture(scope="package")
def bucket(s3_client: S3Client) -> str:
    s3_client.create_bucket(Bucket="pictures")
    return "pictures"


@pytest.fixture(scope="package")
def _s3_store(bucket: str, s3_endpoint: str) -> S3Storage:
    """Making a client takes a good part of a second, so there is one for all tests."""
    return S3Storage(bucket, "farm/one", endpoint_url=s3_endpoint)


@pytest.fixture
def s3(_s3_store: S3Storage) -> Iterator[S3Storage]:
    yield _s3_store
    for key, _ in list(_s3_store.list_keys("")):
        _s3_store.delete(key)


@pytest.fixture
def local(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "storage")


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """One contract, every store."""
    store: Storage = request.getfixturevalue(request.param)
    return store
