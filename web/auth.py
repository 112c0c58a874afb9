"""Who is asking: an API key in a header, or one remembered by the signed session."""

from dataclasses import dataclass

from flask import g, request, session

from myriad import clock
from myriad.db.database import Database
from myriad.db.keys import any_key, find_key, list_keys
from myriad.errors import Forbidden, Unauthorized
from web.farm import current_farm

_SESSION_KEY = "key_id"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Caller:
    """`key_id` is None on an open farm: one that has no API key at all."""

    key_id: str | None

    @property
    def scope(self) -> str:
        """Whose jobs this caller may see, in the words of `myriad.db.jobs`."""
        return self.key_id or ""


def current_caller() -> Caller:
    """The caller whom `require_key` or `require_login` let in."""
    caller: Caller = g.caller
    return caller


def require_key() -> None:
    """Before an API route: the Authorization header alone counts, cookies never do.

    Raises Unauthorized, or Forbidden for a browser that a foreign page sent.
    """
    if request.method not in _SAFE_METHODS and _is_cross_site():
        raise Forbidden("requests from other sites are refused")
    db = current_farm().db
    g.caller = Caller(_key_id_from_header(db) if any_key(db) else None)


def session_caller() -> Caller | None:
    """The person at the browser, or None if they must log in first."""
    db = current_farm().db
    if not any_key(db):
        return Caller(None)
    key_id = session.get(_SESSION_KEY)
    return Caller(key_id) if key_id and _is_valid(db, key_id) else None


def log_in(key: str) -> None:
    """Remember the key's id, never the key. Raises Unauthorized."""
    found = find_key(current_farm().db, key)
    if found is None:
        raise Unauthorized("this API key is not valid")
    session.clear()
    session[_SESSION_KEY] = found.id


def log_out() -> None:
    """Forget who is at this browser."""
    session.clear()


def _key_id_from_header(db: Database) -> str:
    found = find_key(db, _key_from_header())
    if found is None:
        raise Unauthorized("send a valid API key as Authorization: Bearer KEY")
    return found.id


def _key_from_header() -> str:
    """`Bearer KEY`, Replicate's `Token KEY`, or HTTP Basic with the key as password."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic" and request.authorization:
        return request.authorization.password or ""
    return rest.strip() if scheme.lower() in ("bearer", "token") else ""


def _is_valid(db: Database, key_id: str) -> bool:
    """Asked at every request, so that a revoked key ends its sessions too."""
    now = clock.now()
    return any(
        key.id == key_id and not key.revoked_at and (key.expires_at is None or key.expires_at > now)
        for key in list_keys(db)
    )


def _is_cross_site() -> bool:
    return request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
