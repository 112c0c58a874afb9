"""Who is asking, and what they may: an API key in a header, or one that the session stands for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import current_app, g, request, session

from myriad.db.database import Database
from myriad.db.keys import any_key, digest_of, find_key
from myriad.errors import Forbidden, Unauthorized
from myriad.key import ApiKey, Scope
from web.farm import current_farm
from web.key_use import note_use_later
from web.origin import is_cross_site, is_own_address

_View = TypeVar("_View", bound=Callable[..., Any])
_NEEDS = "needs_scope"
_SESSION_KEY = "key_digest"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Caller:
    """`key` is None on an open farm, one that never had an API key: there all may do all."""

    key: ApiKey | None

    @property
    def key_id(self) -> str | None:
        """The key's id; never changes, though its secret may."""
        return self.key.id if self.key else None

    @property
    def scope(self) -> str:
        """Whose jobs, pictures and idempotency keys this caller's are."""
        return self.key_id or ""

    @property
    def sees(self) -> str | None:
        """Whose jobs this caller may look at and end, as `myriad.db.jobs` has it: None is all."""
        return None if self.key and Scope.ADMIN in self.key.scopes else self.scope

    @property
    def limits(self) -> Mapping[str, float]:
        """The key's own limits; the farm's settings go for what is left out."""
        return self.key.limits if self.key else {}

    def check(self, needed: Scope, *, field: str | None = None) -> None:
        """Raise Forbidden unless the caller may do what `needed` names, as `field` asks for."""
        if self.key is not None and not self.key.allows(needed):
            raise Forbidden(f"this API key lacks the scope {needed}", field=field)


def needs(scope: Scope) -> Callable[[_View], _View]:
    """Let in only who has `scope`. Goes under the route's decorator."""

    def mark(view: _View) -> _View:
        setattr(view, _NEEDS, scope)
        return view

    return mark


def needed_scope(endpoint: str | None, method: str) -> Scope:
    """What a request needs: as its view says, else `read` to look and `write` to change."""
    view = current_app.view_functions.get(endpoint or "")
    own: Scope | None = getattr(view, _NEEDS, None)
    return own or (Scope.READ if method in _SAFE_METHODS else Scope.WRITE)


def current_caller() -> Caller:
    """The caller whom `require_key` or `require_login` let in."""
    caller: Caller = g.caller
    return caller


def require_key() -> None:
    """Before an API route: the Authorization header alone counts, cookies never do.

    Raises Unauthorized, or Forbidden for a key without the scope and for a browser
    that a foreign page sent.
    """
    if _may_change() and is_cross_site():
        raise Forbidden("requests from other sites are refused")
    db = current_farm().db
    key = _find(db, digest_of(_key_from_header()))
    if key is None and any_key(db):
        raise Unauthorized("send a valid API key as Authorization: Bearer KEY")
    g.caller = _caller(key)
    g.caller.check(needed_scope(request.endpoint, request.method))


def session_caller() -> Caller | None:
    """The person at the browser, or None if they must log in first. Raises Forbidden."""
    db = current_farm().db
    key = _find(db, session.get(_SESSION_KEY, ""))
    return None if key is None and any_key(db) else _caller(key)


def log_in(key: str) -> None:
    """Remember the key's digest, never the key: what ends the key ends the session.

    Raises Unauthorized.
    """
    digest = digest_of(key)
    if _find(current_farm().db, digest) is None:
        raise Unauthorized("this API key is not valid")
    session.clear()
    session[_SESSION_KEY] = digest


def log_out() -> None:
    """Forget who is at this browser."""
    session.clear()


def _caller(key: ApiKey | None) -> Caller:
    if key is None and not is_own_address():
        raise Forbidden("without API keys, the farm answers to no public name; use its address")
    return Caller(key)


def _find(db: Database, digest: str) -> ApiKey | None:
    key = find_key(db, digest)
    if key is not None:
        note_use_later(db, key)
    return key


def _key_from_header() -> str:
    """`Bearer KEY`, Replicate's `Token KEY`, or HTTP Basic with the key as password."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic" and request.authorization:
        return request.authorization.password or ""
    return rest.strip() if scheme.lower() in ("bearer", "token") else ""


def _may_change() -> bool:
    """Whether more than an answer may come of it; a web socket's handshake is a GET."""
    upgrade = request.headers.get("Upgrade", "")
    return request.method not in _SAFE_METHODS or upgrade.lower() == "websocket"
