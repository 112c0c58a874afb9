"""Which addresses a webhook may go to: the open internet, and networks the operator lists."""

import re
import socket
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import requests
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from myriad.errors import InvalidRequest

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAX_LENGTH = 2048
_NAME = re.compile(r"[\w.-]+", re.ASCII)
_MAX_HOST_LENGTH = 255
# Addresses that Python calls global but that are for special use, or relay to another one.
_SPECIAL: tuple[Network, ...] = (
    ip_network("192.0.0.0/24"),  # special purposes; 192.0.0.192 has given out secrets of clouds
    ip_network("192.88.99.0/24"),  # 6to4 relays
    ip_network("2002::/16"),  # 6to4: an IPv4 address inside
    ip_network("64:ff9b::/96"),  # NAT64: an IPv4 address inside
    ip_network("64:ff9b:1::/48"),
    ip_network("3fff::/20"),  # documentation
)


def check_webhook_url(url: str, allow: Iterable[str]) -> None:
    """Refuse what can be refused without asking DNS; the sender checks the rest.

    `allow` lists networks (CIDR) that may be reached though private. Raises
    InvalidRequest on `webhook`.
    """
    parts = _parse(url)
    if parts.scheme not in ("http", "https"):
        raise _refusal("must start with http:// or https://")
    if not parts.host:
        raise _refusal("names no host")
    if parts.auth is not None:
        raise _refusal("must not carry a user name or password")
    address = _literal(parts.host)
    if address is None and not _NAME.fullmatch(parts.host):
        raise _refusal("names no host")
    if address is not None and not is_allowed_address(address, allow):
        raise _refusal("must not name a private or reserved address")


def host_of(url: str) -> str:
    """Whom a webhook's address names, with the port if it is written: one receiver, for limits."""
    try:
        return (parse_url(url).netloc or "").lower()[:_MAX_HOST_LENGTH]
    except LocationParseError:
        return ""


def is_allowed_address(address: Address, allow: Iterable[str]) -> bool:
    """Whether we may connect to `address`: public, or inside a network of `allow`."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return _is_public(address) or any(address in ip_network(network) for network in allow)


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return not any(address in network for network in _SPECIAL)


def _parse(url: str) -> Url:
    """Read `url` with the very parser that will send to it, so that the two cannot differ."""
    if len(url) > _MAX_LENGTH:
        raise _refusal(f"is longer than {_MAX_LENGTH} characters")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _refusal("must be plain ASCII; write international names as xn--…")
    try:
        prepared = requests.Request("POST", url).prepare().url
        parts = parse_url(prepared or "")
        (parts.host or "").encode("idna")  # as every connection does; refuses over-long labels
    except (requests.RequestException, LocationParseError, ValueError) as error:
        raise _refusal("is no address we can send to") from error
    return parts


def _literal(host: str) -> Address | None:
    """The address a host spells out, or None for a name that only DNS can tell."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return IPv4Address("127.0.0.1")
    if "%" in name:
        raise _refusal("must not name an IPv6 zone")
    try:
        return ip_address(name)
    except ValueError:
        return _old_literal(name)


def _old_literal(name: str) -> Address | None:
    """Forms that the C library still takes for an address: 0x7f.1, 2130706433, 0177.0.0.1."""
    try:
        return IPv4Address(socket.inet_aton(name))
    except OSError:
        return None


def _refusal(message: str) -> InvalidRequest:
    return InvalidRequest(message, field="webhook")
