"""Signed short-lived links to stored files, for stores that cannot sign their own."""

import hashlib
import hmac
from datetime import datetime

from itsdangerous import BadData, URLSafeSerializer

from myriad import clock
from myriad.errors import Forbidden


def sign_link(secret: str, key: str, expires_at: datetime) -> str:
    """A URL-safe token that lets its bearer read `key` until `expires_at` (aware)."""
    return _token(secret, key, int(expires_at.timestamp()))


def check_link(secret: str, token: str, now: datetime | None = None) -> str:
    """The key a token stands for. Raises Forbidden for any that is altered or too old."""
    try:
        key, expires_at = _serializer(secret).loads(token)
    except (BadData, TypeError, ValueError) as error:
        raise Forbidden("this link is not valid") from error
    # Base64 spells one signature in several ways; only the spelling we gave out counts.
    if not hmac.compare_digest(_token(secret, key, expires_at).encode(), token.encode()):
        raise Forbidden("this link is not valid")
    if (now or clock.now()).timestamp() >= expires_at:
        raise Forbidden("this link has expired")
    return str(key)


def _token(secret: str, key: str, expires_at: int) -> str:
    return _serializer(secret).dumps([key, expires_at])


def _serializer(secret: str) -> URLSafeSerializer:
    return URLSafeSerializer(
        secret,
        salt="myriad.link",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
