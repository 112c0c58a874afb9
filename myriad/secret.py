"""The farm's secrets: set by the operator, or made once and kept in a private file."""

import base64
import binascii
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from myriad.errors import ConfigError

_WEBHOOK_PREFIX = "whsec_"


def load_secret(setting: SecretStr, path: Path) -> str:
    """The secret that signs links and forms: `setting`, else the contents of `path`."""
    return setting.get_secret_value() or _load_or_create(path, lambda: secrets.token_urlsafe(32))


def load_webhook_secret(setting: SecretStr, path: Path) -> str:
    """The `whsec_…` that signs webhooks. Raises ConfigError if it is not of that form."""
    secret = setting.get_secret_value() or _load_or_create(path, _new_webhook_secret)
    if not _is_webhook_secret(secret):
        raise ConfigError("the webhook secret must be whsec_ and base64 of 24 to 64 bytes")
    return secret


def _new_webhook_secret() -> str:
    return _WEBHOOK_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def _is_webhook_secret(text: str) -> bool:
    try:
        key = base64.b64decode(text.removeprefix(_WEBHOOK_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.startswith(_WEBHOOK_PREFIX) and 24 <= len(key) <= 64


def _load_or_create(path: Path, make: Callable[[], str]) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _create(path, make())
        secret = path.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    if not secret:
        raise ConfigError(f"{path}: is empty")
    return secret


def _create(path: Path, secret: str) -> None:
    """Put `secret` at `path`, whole and readable by us alone, unless another was first."""
    handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)  # 0600 from the start
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)  # unlike a rename, refuses to replace
    except FileExistsError:
        pass
    finally:
        os.unlink(name)
