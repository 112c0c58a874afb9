"""A PostgreSQL server of a test's own, to be stopped, frozen and started again."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import make_url


class OwnPostgres:
    """Keeps its data and its address over every stop."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own imports' deprecations, not ours
            pgserver = pytest.importorskip("pgserver")
        self._server: Any = pgserver.get_server(folder, cleanup_mode="stop")

    @property
    def url(self) -> str:
        """SQLAlchemy URL of its one database."""
        url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
        return url.render_as_string(hide_password=False)

    def stop(self) -> None:
        """End every session and the server, as for an upgrade of it."""
        from pgserver._commands import pg_ctl

        pg_ctl(
            ["-w", "-m", "fast", "stop"], pgdata=self._server.pgdata, user=self._server.system_user
        )

    def start(self) -> None:
        """Serve again; harmless if it does."""
        self._server.ensure_postgres_running()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let no process of the server move: connections stay open and nobody answers."""
        first = psutil.Process(self._server.get_pid())
        stopped = [first, *first.children(recursive=True)]
        for process in stopped:
            process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                process.resume()

    def close(self) -> None:
        self._server.cleanup()


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A running server, gone at the end."""
    # A short path of its own: a Unix socket's may have only about a hundred letters.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = OwnPostgres(folder)
    try:
        yield server
    finally:
        server.start()
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
