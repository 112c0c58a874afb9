"""`python -m tasks.health PROCESS`: whether the process beside this one does its work.

For container health checks: exits 0 if it does, else 1 with the reason in one line.
"""

import socket
import sys
import time

import httpx

from myriad.db.database import Database
from myriad.db.workers import live_workers
from myriad.errors import MyriadError, Unavailable
from myriad.settings import Settings, load_settings
from tasks.loop import pulse_path

LOOP_SILENCE_S = 120.0
"""A round of the janitor or the sender takes seconds; minutes mean that it hangs."""

_USAGE = "usage: python -m tasks.health web | worker POOL | janitor | sender"


def check_web(settings: Settings) -> None:
    """Raise Unavailable unless the front end answers on this machine."""
    url = f"{settings.local_url}/livez"
    try:
        httpx.get(url, timeout=5.0, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        raise Unavailable(f"{url}: {error}") from error


def check_worker(settings: Settings, pool: str) -> None:
    """Raise Unavailable unless a worker of `pool` on this machine has reported to SQL lately."""
    here = f"{pool}@{socket.gethostname()[:40]}."
    db = Database(settings.database)
    try:
        workers = live_workers(db, within_s=settings.lease_s)
    finally:
        db.close()
    if not any(worker.name.startswith(here) for worker in workers):
        raise Unavailable(f"no {here}… has reported within {settings.lease_s:g} s")


def check_loop(settings: Settings, name: str) -> None:
    """Raise Unavailable unless that loop's last round was lately."""
    path = pulse_path(settings.home, name)
    try:
        silent_s = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        raise Unavailable(f"{name} has not begun") from None
    if silent_s > LOOP_SILENCE_S:
        raise Unavailable(f"{name} has been silent for {silent_s:.0f} s")


def main(words: list[str]) -> None:
    settings = load_settings()
    match words:
        case ["web"]:
            check_web(settings)
        case ["worker", pool]:
            check_worker(settings, pool)
        case ["janitor" | "sender" as name]:
            check_loop(settings, name)
        case _:
            sys.exit(_USAGE)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except MyriadError as error:
        sys.exit(error.message)
