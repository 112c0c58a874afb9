"""The programs of a farm on one machine, and how each shows that it is ready."""

import os
import re
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import httpx
from redis import Redis
from redis.exceptions import RedisError

from myriad.db.database import Database
from myriad.db.workers import live_workers
from myriad.embedded import EmbeddedValkey
from myriad.errors import MyriadError
from myriad.pool import Pool
from myriad.settings import Settings
from myriad.up.process import Program, command

# The order of stopping: no new jobs first, then those who work, the broker last.
_WEB, _WORKERS, _JANITOR, _SENDER, _BROKER = range(5)
_REPORTED_WITHIN_S = 60.0
GUNICORN = ("gunicorn", "-c", "python:myriad.gunicorn", "web:create_app()")


def broker(settings: Settings, valkey: EmbeddedValkey) -> Program:
    """The embedded Valkey, under our supervision."""
    valkey.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    start = command(tuple(valkey.command()), env=os.environ, log=log_path(settings, "valkey"))
    return Program("valkey", start, _BROKER, lambda pid: _answers_ping(valkey.port))


def farm_programs(settings: Settings, pools: tuple[Pool, ...], db: Database) -> list[Program]:
    """Web, workers, janitor and sender; their settings travel in the environment."""
    python = partial(_python, settings)
    return [
        *(_worker(settings, pool, index, db) for pool in pools for index in range(pool.workers)),
        python("janitor", _JANITOR, "tasks.janitor"),
        python("sender", _SENDER, "tasks.sender"),
        python("web", _WEB, *GUNICORN, is_ready=lambda pid: _is_up(settings.local_url)),
    ]


def is_worker(program: Program) -> bool:
    """Whether it is one of the workers."""
    return program.rank == _WORKERS


def log_path(settings: Settings, name: str) -> Path:
    """Where the program of that name writes."""
    return settings.home / "logs" / f"{name}.log"


def environment(settings: Settings) -> dict[str, str]:
    """Ours, with what `myriad up` has settled itself."""
    return os.environ | {
        "MYRIAD_HOME": str(settings.home),
        "MYRIAD_PORT": str(settings.port),
        "MYRIAD_REDIS_URL": settings.redis_url,
        "PYTHONUNBUFFERED": "1",
    }


def _python(
    settings: Settings,
    name: str,
    rank: int,
    *module: str,
    threads: int = 1,
    device: str = "",
    is_ready: Callable[[int], bool] = lambda pid: True,
) -> Program:
    env = environment(settings) | {"OMP_NUM_THREADS": str(threads)}
    if device:
        env["MYRIAD_DEVICE"] = device
    argv = (sys.executable, "-m", *module)
    return Program(name, command(argv, env=env, log=log_path(settings, name)), rank, is_ready)


def _worker(settings: Settings, pool: Pool, index: int, db: Database) -> Program:
    number = f"-{index + 1}" if pool.workers > 1 else ""
    return _python(
        settings,
        f"worker-{pool.name}{number}",
        _WORKERS,
        "workers",
        pool.name,
        threads=pool.threads,
        device=settings.device or pool.device_of(index),
        is_ready=lambda pid: _has_reported(db, pid),
    )


def _answers_ping(port: int) -> bool:
    with Redis(port=port, socket_timeout=1, socket_connect_timeout=1) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False


@cache
def _client() -> httpx.Client:
    """One for all questions: each new one reads the certificates of the machine."""
    return httpx.Client(
        timeout=2.0, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
    )


def _is_up(url: str) -> bool:
    try:
        return _client().get(f"{url}/readyz").is_success
    except httpx.HTTPError:
        return False


def _has_reported(db: Database, pid: int) -> bool:
    try:
        workers = live_workers(db, within_s=_REPORTED_WITHIN_S)
    except MyriadError:
        return False
    return any(re.search(rf"\b{pid}\b", worker.name) for worker in workers)
