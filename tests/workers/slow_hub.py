"""A Hugging Face hub on the loopback, which sends weights only when it is let."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class SlowHub:
    """Serves `folder` as any repository at COMMIT. `asked` counts the downloads of each file."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.asked: Counter[str] = Counter()
        self.was_asked, self.may_send = Event(), Event()

    def tree(self) -> list[dict[str, Any]]:
        """What the hub's API says of the repository's files."""
        return [
            {
                "type": "file",
                "oid": f"{place:040x}",
                "size": file.stat().st_size,
                "path": file.relative_to(self.folder).as_posix(),
            }
            for place, file in enumerate(sorted(self.folder.rglob("*")))
            if file.is_file()
        ]

    def read(self, name: str) -> bytes:
        """A file's bytes, at once or, if they are weights, some day."""
        self.asked[name] += 1
        if name.endswith(".safetensors"):
            self.was_asked.set()
            self.may_send.wait()
        return (self.folder / name).read_bytes()


@contextmanager
def open_hub(folder: Path) -> Iterator[SlowHub]:
    """A hub that holds back every weight until `may_send` is set."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place, _, name = self.path.partition(f"/resolve/{COMMIT}/")
            if name:
                self._answer(hub.read(name), "application/octet-stream")
            elif place.partition("?")[0].endswith(f"/tree/{COMMIT}"):
                self._answer(json.dumps(hub.tree()).encode(), "application/json")
            else:
                self.send_error(404)

        def do_HEAD(self) -> None:
            name = self.path.partition(f"/resolve/{COMMIT}/")[2]
            self._head((hub.folder / name).stat().st_size, name.replace("/", "-"))

        def _answer(self, body: bytes, kind: str) -> None:
            self._head(len(body), str(len(body)), kind)
            self.wfile.write(body)

        def _head(self, size: int, etag: str, kind: str = "application/octet-stream") -> None:
            self.send_response(200)
            for name, value in (
                ("Content-Type", kind),
                ("Content-Length", str(size)),
                ("ETag", f'"{etag}"'),
                ("X-Repo-Commit", COMMIT),
            ):
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the base's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub = SlowHub(folder, f"http://127.0.0.1:{server.server_address[1]}")
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield hub
    finally:
        hub.may_send.set()
        server.shutdown()
        server.server_close()
