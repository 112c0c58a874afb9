"""HTTP to addresses that strangers name: checked, pinned, never redirected, cut off in time."""

import logging
from functools import partial
from ipaddress import ip_address
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests_hardened import Config, HTTPSession
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool

from myriad import __version__
from myriad.address import Address, is_allowed_address
from myriad.hangup import Hangup

# It would call an address forbidden before we know whether the operator allows it;
# whoever asked learns of a refusal by InvalidIPAddress.
logging.getLogger("requests_hardened.ip_filter").setLevel(logging.ERROR)


def outbound_session(allow: tuple[str, ...], timeout_s: float, hangup: Hangup) -> requests.Session:
    """A session for one exchange, which `hangup` may cut.

    It resolves a name once and connects to that very address, if it is public
    or in a network of `allow`; otherwise it raises InvalidIPAddress. The
    process's proxies and .netrc are not used: a proxy would do the resolving.
    """
    config = Config(
        ip_filter_enable=False,  # our adapters below filter
        ip_filter_allow_loopback_ips=False,
        never_redirect=True,
        default_timeout=(timeout_s, timeout_s),
        user_agent_override=f"Myriad/{__version__}",
    )
    session: requests.Session = HTTPSession(config)
    session.trust_env = False
    for scheme in ("http", "https"):
        session.mount(f"{scheme}://", _PinnedAdapter(scheme == "https", allow, hangup))
    return session


class _WatchedConnection(HTTPConnection):
    """Hands its socket to the hang-up as soon as it is open, before any TLS handshake."""

    def __init__(self, *args: Any, hangup: Hangup, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hangup = hangup

    def _new_conn(self) -> Any:
        sock = super()._new_conn()
        self._hangup.watch(sock)
        return sock


class _WatchedTlsConnection(_WatchedConnection, HTTPSConnection):
    """The same over TLS."""


class _PinnedAdapter(IPFilterAdapter):  # type: ignore[misc]  # the library has no types
    """The library's filter and pinning, with networks allowed by the operator added."""

    def __init__(self, is_tls: bool, allow: tuple[str, ...], hangup: Hangup) -> None:
        super().__init__(is_https_proto=is_tls)
        self._is_tls = is_tls
        self._allow = allow
        self._connection = partial(
            _WatchedTlsConnection if is_tls else _WatchedConnection, hangup=hangup
        )

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Where to connect: always an address that was checked, never a name."""
        try:
            target, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        except InvalidIPAddress as error:
            address: Address = error.args[0]
            if not is_allowed_address(address, self._allow):
                raise
            return self._pin(address, request, verify, cert)
        # Our policy is stricter here and there: ::/96 and fec0::/10 pass the library's.
        address = ip_address(target["host"].strip("[]"))
        if not is_allowed_address(address, self._allow):
            raise InvalidIPAddress(address)
        return target, tls

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = self._connection
        return pool  # type: ignore[no-any-return]

    def _pin(
        self, address: Address, request: requests.PreparedRequest, verify: Any, cert: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As the library does for a public address; it has set the Host header already."""
        where, how = HTTPAdapter.build_connection_pool_key_attributes(self, request, verify, cert)
        target, tls = dict(where), dict(how)
        if self._is_tls:
            tls |= {"assert_hostname": where["host"], "server_hostname": where["host"]}
        target["host"] = f"[{address}]" if address.version == 6 else str(address)
        return target, tls
