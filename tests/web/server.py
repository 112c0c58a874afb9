"""A real gunicorn over a real farm's folder, on loopback."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from myriad.settings import Settings
from tests.processes import Processes, wait_until

GUNICORN = ("gunicorn", "-c", "python:myriad.gunicorn", "web:create_app()")


@contextmanager
def serve(settings: Settings, logs: Path) -> Iterator[str]:
    """The address of a web process that answers; it is gone at the end."""
    environment = {
        "MYRIAD_HOME": str(settings.home),
        "MYRIAD_CATALOG": str(settings.catalog),
        "MYRIAD_REDIS_URL": settings.redis_url,
        "MYRIAD_PORT": str(settings.port),
        "MYRIAD_MAX_BODY_BYTES": str(settings.max_body_bytes),
    }
    processes = Processes(environment, logs)
    url = f"http://127.0.0.1:{settings.port}"
    try:
        processes.start(GUNICORN)
        wait_until(lambda: _answers(url), what=f"the web process:\n{processes.logs()}")
        yield url
    finally:
        processes.close()


def free_port() -> int:
    """A port of loopback that nobody holds at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False
