"""How often a caller may ask: checked once it is known who asks, before anything is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from flask import Flask, current_app, g, request
from limits import RateLimitItem, parse
from werkzeug.middleware.proxy_fix import ProxyFix

from myriad.db.usage import Allowance
from myriad.errors import Overloaded, RateLimited
from myriad.farm import Farm
from myriad.limits import CallerLimits, limits_of
from web.auth import Caller
from web.farm import current_farm
from web.meter import Meter

_METER = "myriad.meter"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_SITE_BITS = 64
"""An IPv6 caller has that many bits of addresses of its own to choose from."""


def attach_limits(app: Flask, farm: Farm) -> None:
    """Make `check_rate` work in `app`, and addresses true behind the operator's proxies."""
    app.extensions[_METER] = Meter(farm.settings.redis)
    if count := farm.settings.proxies:
        # Only the operator knows how many entries of the header a stranger cannot write.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=0)  # type: ignore[method-assign]


def allowance_of(caller: Caller) -> Allowance:
    """What `submit` must hold the caller to."""
    limits = _limits_of(caller)
    return Allowance(limits.max_queued, limits.megapixel_steps_per_day)


def check_rate() -> None:
    """Before a route, its caller known: count the request. Raises RateLimited."""
    caller: Caller = g.get("caller") or Caller(None)
    limits = _limits_of(caller)
    is_read = request.method in _READS
    rate = _parsed(limits.rate_reads if is_read else limits.rate_creates)
    if not rate.amount:
        return
    wait_s = _meter().hit(rate, "read" if is_read else "create", _name(caller))
    if wait_s is not None:
        with refusals_counted():
            raise RateLimited(f"more requests than {rate}", retry_after_s=wait_s)


@contextmanager
def refusals_counted() -> Iterator[None]:
    """Count what is raised inside because of a limit, for /metrics."""
    try:
        yield
    except (RateLimited, Overloaded) as error:
        _meter().note_refusal(error.code)
        raise


def _limits_of(caller: Caller) -> CallerLimits:
    return limits_of(current_farm().settings, caller.limits)


def _meter() -> Meter:
    meter: Meter = current_app.extensions[_METER]
    return meter


def _name(caller: Caller) -> str:
    """A key is one caller wherever it is used from; without one, each address is."""
    return caller.key_id or _site(request.remote_addr or "")


def _site(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address  # of a Unix socket, or as a proxy wrote it
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Address(int(parsed) >> _SITE_BITS << _SITE_BITS))
    return address


@lru_cache
def _parsed(rate: str) -> RateLimitItem:
    return parse(rate)
