"""Object storage in an S3-compatible bucket."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from myriad.errors import InvalidRequest, NotFound, ObjectDamaged, StorageUnavailable
from myriad.storage.base import StoredObject
from myriad.storage.key import is_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_LINK_TTL = timedelta(minutes=15)
_MISSING = {"404", "NoSuchKey", "NotFound"}
_TRIES = 2
# What a browser may show in place; anything else is saved to disk.
_SHOWN = {"image/png", "image/jpeg", "image/webp", "video/mp4"}


class S3Storage:
    """Objects under `prefix` of one bucket.

    Credentials come from boto3's own chain (environment, profile, instance).
    `public_endpoint_url` is the same server as browsers see it: links are
    signed for it, since a signature covers the host.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        endpoint_url: str = "",
        public_endpoint_url: str = "",
        region: str = "us-east-1",
        timeout_s: float = 10.0,
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        with _mapped_errors():
            self._client = _client(endpoint_url, region, timeout_s)
            public = public_endpoint_url or endpoint_url
            is_same = public == endpoint_url
            self._signer = self._client if is_same else _client(public, region, timeout_s)

    def put(self, key: str, data: bytes, content_type: str) -> StoredObject:
        if not is_key(key):
            raise InvalidRequest("is no storage key", field="key")
        stored = StoredObject(key, hashlib.sha256(data).hexdigest(), len(data), content_type)
        for _ in range(_TRIES):
            with _mapped_errors():
                self._put(stored, data)
            with suppress(NotFound), _mapped_errors():
                if self._is_whole(stored):
                    return stored
        raise ObjectDamaged("object storage kept other bytes than it was sent")

    def get(self, key: str) -> bytes:
        """The bytes, checked against the digest stored beside them."""
        if not is_key(key):
            raise NotFound("no such object")
        for _ in range(_TRIES):
            with _mapped_errors():
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
                data = answer["Body"].read()
            if hashlib.sha256(data).hexdigest() == answer["Metadata"].get("sha256"):
                return data
        raise ObjectDamaged("object storage returned damaged bytes")

    def delete(self, key: str) -> None:
        if is_key(key):
            with _mapped_errors():
                self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def presigned_url(self, key: str, *, ttl: timedelta, content_type: str) -> str | None:
        """A GET link for this one key, 15 minutes at most; it fixes type and disposition."""
        if not is_key(key):
            raise NotFound("no such object")
        shown = "inline" if content_type in _SHOWN else "attachment"
        with _mapped_errors():
            return self._signer.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": self._prefix + key,
                    "ResponseContentType": content_type,
                    "ResponseContentDisposition": f'{shown}; filename="{key.rpartition("/")[2]}"',
                },
                ExpiresIn=max(1, int(min(ttl, MAX_LINK_TTL).total_seconds())),
            )

    def list_keys(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        pages = self._client.get_paginator("list_objects_v2")
        with _mapped_errors():
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for item in page.get("Contents", []):
                    key = item["Key"].removeprefix(self._prefix)
                    yield key, item["LastModified"].astimezone(UTC)

    def _put(self, stored: StoredObject, data: bytes) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=self._prefix + stored.key,
            Body=data,
            ContentType=stored.content_type,
            Metadata={"sha256": stored.sha256},
        )

    def _is_whole(self, stored: StoredObject) -> bool:
        # Browsers fetch by presigned link, past our own check, and not every server
        # compares what it has received with what was signed.
        head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + stored.key)
        kept = head["ContentLength"], head["Metadata"].get("sha256")
        return kept == (stored.size_bytes, stored.sha256)


def _client(endpoint_url: str, region: str, timeout_s: float) -> "S3Client":
    config = Config(
        signature_version="s3v4",
        connect_timeout=min(3.0, timeout_s),
        read_timeout=timeout_s,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=32,
        # The server checks the signed SHA-256 of what it received, so a torn upload
        # is refused; the newer checksum trailers are unknown to many servers.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={
            "payload_signing_enabled": True,
            "addressing_style": "path" if endpoint_url else "auto",
        },
    )
    # A session of our own: boto3's default one must not be shared between threads.
    session = boto3.session.Session()
    return session.client(
        "s3", region_name=region, endpoint_url=endpoint_url or None, config=config
    )


@contextmanager
def _mapped_errors() -> Iterator[None]:
    """The one place where botocore's errors become ours."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _MISSING:
            raise NotFound("no such object") from error
        raise StorageUnavailable(f"object storage answered {code or 'an error'}") from error
    except BotoCoreError as error:
        raise StorageUnavailable(f"object storage is away: {type(error).__name__}") from error
