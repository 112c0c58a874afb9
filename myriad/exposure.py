"""A farm without API keys serves anyone who reaches it: that must be this machine alone."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from myriad.db.database import Database
from myriad.db.keys import any_key
from myriad.errors import ConfigError
from myriad.settings import Settings


def check_exposure(settings: Settings, db: Database) -> None:
    """Raises ConfigError if the farm can be reached from elsewhere and never had an API key.

    Keys that are all revoked or expired keep it closed: nobody gets in.
    """
    exposed = _exposed(settings)
    if exposed and not any_key(db):
        raise ConfigError(
            f"will not {exposed} without API keys, for anyone could use the farm:"
            " make a key with `myriad keys create NAME`, or leave MYRIAD_HOST at 127.0.0.1"
            " and MYRIAD_PUBLIC_URL empty"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`; a name other than localhost counts as not."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _exposed(settings: Settings) -> str:
    """What lets others in, in words: the address it listens on, or a proxy's in front of it."""
    if not is_loopback(settings.host):
        return f"listen on {settings.host}"
    public = settings.public_url
    return f"serve {public}" if public and not is_loopback(_host_of(public)) else ""


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # an opened bracket that is never closed
        return ""
