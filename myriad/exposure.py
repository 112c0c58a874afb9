"""A farm without API keys serves anyone who reaches it: that must be this machine alone."""

from ipaddress import ip_address

from myriad.db.database import Database
from myriad.db.keys import any_key
from myriad.errors import ConfigError


def check_exposure(host: str, db: Database) -> None:
    """Raises ConfigError if `host` is reachable from elsewhere and there is no API key."""
    if not is_loopback(host) and not any_key(db):
        raise ConfigError(
            f"will not listen on {host} without API keys, for anyone could use the farm:"
            " make a key with `myriad keys create NAME`, or leave MYRIAD_HOST at 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`; a name other than localhost counts as not."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
