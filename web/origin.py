"""Whether a browser was sent here by a page of another site."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from flask import request

from myriad.exposure import is_loopback
from web.farm import current_farm

# Never delegated in the public DNS; a container calls its host `host.docker.internal`.
_PRIVATE = (".internal", ".local", ".localhost", ".home.arpa", ".lan")


def is_cross_site() -> bool:
    """Whether the browser says so. Programs say nothing, and are not.

    Browsers leave `Sec-Fetch-Site` out on plain HTTP beyond this machine; there the
    origin must be the farm's own.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("cross-site", "same-site")
    origin = request.headers.get("Origin")
    own = {request.host, _parts(current_farm().settings.public_url).netloc} - {""}
    return origin is not None and _parts(origin).netloc not in own


def is_own_address() -> bool:
    """Whether no site of the public net can be what the request calls this farm.

    A foreign page may have its own name lead to this machine (DNS rebinding); to the
    browser the farm is then a part of that site, and open to it. A farm that listens
    further was opened on purpose, under names that we cannot know.
    """
    settings = current_farm().settings
    name = _parts(f"//{request.host}").hostname or ""
    is_private = "." not in name or name.endswith(_PRIVATE) or _is_ip(name)
    is_known = name == _parts(settings.public_url).hostname
    return is_private or is_known or not is_loopback(settings.host)


def _parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # an opened bracket that is never closed
        return urlsplit("")


def _is_ip(name: str) -> bool:
    try:
        return bool(ip_address(name))
    except ValueError:
        return False
