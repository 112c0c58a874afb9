"""`python -m tests.chaos --jobs 10000 --kills 500 --seed 1 --database postgres`: the long run."""

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tests.chaos.check import judge
from tests.chaos.plan import plan
from tests.chaos.run import Run
from tests.chaos.services import Postgres
from tests.chaos.world import S3_CREDENTIALS, clear_folder, make_world
from tests.processes import wait_until
from tests.web.server import free_port

_SECONDS_PER_FAULT = 3.0


@click.command()
@click.option("--jobs", default=10_000, show_default=True)
@click.option("--kills", default=500, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--database", type=click.Choice(["postgres", "sqlite"]), default="postgres")
@click.option("--storage", type=click.Choice(["s3", "folder"]), default=None)
@click.option("--poisons", default=20, show_default=True, help="Prompts that kill their worker.")
@click.option("--lease", "lease_s", default=5.0, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), default=Path(".myriad/chaos"))
def main(
    jobs: int,
    kills: int,
    seed: int,
    database: str,
    storage: str | None,
    poisons: int,
    lease_s: float,
    folder: Path,
) -> None:
    """Put JOBS jobs through a farm while KILLS of its processes are killed, and judge it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all is taken down
    storage = storage or ("s3" if database == "postgres" else "folder")
    folder = clear_folder(folder.absolute())
    faults = plan(
        kills, random.Random(seed), has_postgres=database == "postgres", has_s3=storage == "s3"
    )
    with (
        _database(database) as postgres,
        _s3_server(storage) as upstream,
        make_world(
            folder,
            seed=seed,
            database_url=postgres.url if postgres else "",
            postgres=postgres,
            s3_upstream=upstream,
            lease_s=lease_s,
            stall_s=12.0,
        ) as world,
        Run(world, seed, click.echo) as run,
    ):
        run.go(jobs, faults, len(faults) * _SECONDS_PER_FAULT, poisons)
        run.settle(patience_s=300)
        run.keep_evidence()
    sys.exit(judge(folder))


@contextmanager
def _database(kind: str) -> Iterator[Postgres | None]:
    if kind == "sqlite":
        yield None
        return
    postgres = Postgres()
    try:
        yield postgres
    finally:
        postgres.close()


@contextmanager
def _s3_server(storage: str) -> Iterator[str]:
    """Address of an S3 server in a process of its own; empty: none."""
    if storage != "s3":
        yield ""
        return
    os.environ.update(S3_CREDENTIALS)
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _is_open(port), what="an S3 server")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main()
