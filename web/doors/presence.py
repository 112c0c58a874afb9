"""Whether the client that waits for an answer is still there."""

from socket import MSG_DONTWAIT, MSG_PEEK

from flask import request


def is_client_gone() -> bool:
    """Whether it has closed its connection; False where the server does not show us that."""
    connection = request.environ.get("gunicorn.socket")
    if connection is None:
        return False
    try:
        return bool(connection.recv(1, MSG_PEEK | MSG_DONTWAIT) == b"")
    except BlockingIOError:
        return False  # open, and nothing to read: it waits
    except OSError:
        return True
