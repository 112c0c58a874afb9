"""Takes a connection away from gunicorn, so that a socket costs no thread for requests."""

import os
import socket
import struct
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any

from flask import Response
from simple_websocket import ConnectionClosed, Server
from wsproto.utilities import ProtocolError

_SOCKET = "gunicorn.socket"
_PING_S = 25
_LARGEST_BYTES = 4096
_SEND_WITHIN_S = 10


class HandedOver(Response):
    """Stands for an answer that others give: gunicorn takes StopIteration for the end of it."""

    def __call__(self, *_: Any) -> Any:
        raise StopIteration


def is_upgradable(environ: dict[str, Any]) -> bool:
    """Whether this is a WebSocket's handshake, on a server that can part with the connection."""
    return (
        environ.get("HTTP_UPGRADE", "").lower() == "websocket"
        and environ.get("HTTP_SEC_WEBSOCKET_VERSION") == "13"
        and bool(environ.get("HTTP_SEC_WEBSOCKET_KEY"))
        and _SOCKET in environ
    )


def take_over(environ: dict[str, Any]) -> Server:
    """Answer the handshake on a descriptor of our own.

    gunicorn ends every connection that it does not keep by shutting it down, which would
    end ours; so its descriptor is made to lead to nobody. Raises OSError and ProtocolError,
    and then there is nobody left to tell.
    """
    theirs: socket.socket = environ[_SOCKET]
    own = theirs.dup()
    limit = struct.pack("ll", _SEND_WITHIN_S, 0)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    stand_in, nobody = socket.socketpair()
    with stand_in, nobody:
        os.dup2(stand_in.fileno(), theirs.fileno(), inheritable=False)
    return Server.accept(
        {**environ, _SOCKET: own},
        ping_interval=_PING_S,
        max_message_size=_LARGEST_BYTES,
        thread_class=partial(Thread, daemon=True),
    )


def shut(connection: Server, why: str | None = None) -> None:
    """Say goodbye and hear no more, even of a client that goes on talking."""
    try:
        connection.close(message=why)
    except ConnectionClosed:
        return  # by the client, who is being answered
    except (ProtocolError, OSError):
        pass
    with suppress(OSError):
        connection.sock.shutdown(socket.SHUT_RDWR)
