"""One request, as bytes: for a socket, or as gunicorn would hand it to the app."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Asked:
    """`rule` is the one it was made for; `tail` is what follows the headers on a socket."""

    rule: str
    method: bytes
    target: bytes
    headers: tuple[Header, ...]
    body: bytes
    tail: bytes | None = None

    def raw(self) -> bytes:
        """The very bytes; nothing of them is mended."""
        lines = [b"%s %s HTTP/1.1" % (self.method, self.target)]
        lines += [b"%s: %s" % header for header in self.headers]
        return b"\r\n".join([*lines, b"", self.body if self.tail is None else self.tail])

    def environ(self) -> dict[str, Any]:
        """What a server that let it through makes of it (PEP 3333)."""
        path, _, query = self.target.partition(b"?")
        return {
            "REQUEST_METHOD": self.method.decode("latin-1"),
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query.decode("latin-1"),
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(self.body),
            "wsgi.input_terminated": True,
            "wsgi.errors": BytesIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **dict(self._variables()),
        }

    def _variables(self) -> Iterator[tuple[str, str]]:
        found: dict[str, str] = {}
        for name, value in self.headers:
            key = name.decode("latin-1").upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
            text = value.decode("latin-1").strip()
            found[key] = f"{found[key]},{text}" if key in found else text
        yield from found.items()
