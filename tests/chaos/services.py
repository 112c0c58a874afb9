"""What a farm stands on, to be broken: its broker and its database server."""

import shutil
import signal
import subprocess
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from myriad.embedded import EmbeddedValkey

_STARTS = 10


class Broker(EmbeddedValkey):
    """A Valkey that is killed, and comes back with or without what it knew."""

    def crash(self, *, forgets: bool) -> None:
        """`kill -9`; if it `forgets`, its append-only file is lost too."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if forgets:
            shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)


class Postgres:
    """A PostgreSQL of our own."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own imports' deprecations, not ours
            import pgserver
            from pgserver._commands import pg_ctl
        # A short path of its own: a Unix socket's may have only about a hundred letters.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._pg_ctl: Any = pg_ctl
        self._server: Any = pgserver.get_server(self.folder, cleanup_mode="stop")
        uri = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
        self.url = uri.render_as_string(hide_password=False)

    def stop(self) -> None:
        """At once, as by a power cut; connections break, the log is replayed at the start."""
        with suppress(subprocess.CalledProcessError):
            self._pg_ctl(
                ["-w", "-m", "immediate", "stop"],
                pgdata=self.folder,
                user=self._server.system_user,
            )

    def start(self) -> None:
        """Bring it back, however busy the machine is."""
        for _ in range(_STARTS):
            with suppress(subprocess.SubprocessError):
                self._server.ensure_postgres_running()
                return
        raise RuntimeError(f"PostgreSQL does not start again; see {self.folder / 'log'}")

    def close(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)
