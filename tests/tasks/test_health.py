"""Health checks of containers: each says no when its process does not do its work."""

import os
import socket
import time
from pathlib import Path
from threading import Event

import pytest

from myriad.claimant import Claimant
from myriad.db.database import Database
from myriad.db.migrate import upgrade
from myriad.db.workers import report_worker
from myriad.errors import StorageUnavailable, Unavailable
from myriad.settings import Settings
from tasks.health import LOOP_SILENCE_S, check_loop, check_web, check_worker, main
from tasks.loop import pulse_path, repeat


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def beat_once(settings: Settings, name: str) -> None:
    """One round of a loop whose work fails, as it does while a server is away."""
    stop = Event()

    def work() -> bool:
        stop.set()
        raise StorageUnavailable("away")

    repeat(work, interval_s=0, stop=stop, pulse=pulse_path(settings.home, name))


def test_loop_is_well_after_a_round(settings: Settings) -> None:
    with pytest.raises(Unavailable, match="has not begun"):
        check_loop(settings, "janitor")
    beat_once(settings, "janitor")
    check_loop(settings, "janitor")
    with pytest.raises(Unavailable, match="has not begun"):
        check_loop(settings, "sender")


def test_loop_that_hangs_is_not_well(settings: Settings) -> None:
    beat_once(settings, "sender")
    long_ago = time.time() - LOOP_SILENCE_S - 1
    os.utime(pulse_path(settings.home, "sender"), (long_ago, long_ago))
    with pytest.raises(Unavailable, match="silent"):
        check_loop(settings, "sender")


def test_worker_must_be_of_this_pool_and_this_machine(settings: Settings) -> None:
    upgrade(settings.database)
    db = Database(settings.database)
    for name in ("cpu@elsewhere.1.aa", f"gpu@{socket.gethostname()[:40]}.1.aa"):
        report_worker(db, Claimant(name, name[:3], "cpu"), 4, ())
    db.close()
    check_worker(settings, "gpu")
    with pytest.raises(Unavailable, match="cpu@"):
        check_worker(settings, "cpu")


def test_web_that_does_not_answer_is_not_well(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        settings = Settings(home=tmp_path, port=taken.getsockname()[1])
        with pytest.raises(Unavailable, match="livez"):
            check_web(settings)


@pytest.mark.parametrize("words", [[], ["worker"], ["broker"], ["web", "now"]])
def test_misuse_is_explained(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="usage"):
        main(words)
