"""Object storage: the store the settings name."""

from pathlib import Path
from urllib.parse import urlsplit

from myriad.errors import ConfigError
from myriad.settings import Settings
from myriad.storage.base import Storage, StoredObject
from myriad.storage.local import LocalStorage
from myriad.storage.s3 import S3Storage

__all__ = ["LocalStorage", "S3Storage", "Storage", "StoredObject", "open_storage"]


def open_storage(settings: Settings) -> Storage:
    """The store at `settings.storage`: `s3://bucket/prefix`, else a folder.

    Raises ConfigError for an address that is neither.
    """
    if "://" not in settings.storage:
        return LocalStorage(Path(settings.storage))
    parts = urlsplit(settings.storage)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise ConfigError("MYRIAD_STORAGE_URL: must be s3://bucket/prefix or a folder")
    return S3Storage(
        bucket=parts.netloc,
        prefix=parts.path,
        endpoint_url=settings.s3_endpoint_url,
        public_endpoint_url=settings.s3_public_endpoint_url,
        region=settings.s3_region,
        timeout_s=settings.s3_timeout_s,
    )
