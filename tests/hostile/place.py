"""The farm that is attacked: a front end, no worker, and no limit to hide a parser behind."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil

from myriad import clock
from myriad.farm import open_farm
from myriad.inputs import input_key
from myriad.link import sign_link
from myriad.settings import Settings
from tests.hostile.asked import Asked
from tests.hostile.generate import valid
from tests.hostile.sample import Known
from tests.hostile.tally import Answer
from tests.processes import Processes, wait_until
from tests.web.server import GUNICORN, free_port

LIMITS: dict[str, Any] = {
    "hold_max_s": 0.05,  # there is nothing to wait for
    "wait_max_s": 0.05,
    "rate_creates": "0/minute",
    "rate_reads": "0/minute",
    "max_queued": 0,
}

Ask = Callable[[Asked], Answer]


@dataclass(frozen=True)
class Place:
    """A web process that answers at `url`."""

    url: str
    process: "subprocess.Popen[bytes]"

    @property
    def resident_bytes(self) -> int:
        """Memory of the server and its children."""
        own = psutil.Process(self.process.pid)
        return sum(each.memory_info().rss for each in (own, *own.children(recursive=True)))


@contextmanager
def served(home: Path, redis_url: str, logs: Path, **more: Any) -> Iterator[Place]:
    """Runs a real gunicorn over the farm at `home` until the block ends."""
    values = {**LIMITS, **more, "home": home, "catalog": home / "catalog.toml"}
    environment = {f"MYRIAD_{name.upper()}": str(value) for name, value in values.items()}
    port = free_port()
    processes = Processes(
        {**environment, "MYRIAD_REDIS_URL": redis_url, "MYRIAD_PORT": str(port)}, logs
    )
    place = Place(f"http://127.0.0.1:{port}", processes.start(GUNICORN))
    try:
        wait_until(lambda: _is_up(place.url), what=processes.logs)
        yield place
    finally:
        processes.close()


def known_on(ask: Ask, settings: Settings) -> Known:
    """A job, an input and a signed link that exist there. `settings` are those of its farm."""
    job = _made(ask, ("POST", "/api/v1/jobs"))
    digest = _made(ask, ("POST", "/api/v1/inputs"))
    farm = open_farm(settings)
    token = sign_link(farm.secret, input_key(digest), clock.now() + timedelta(days=1))
    farm.close()
    return Known(job, digest, token)


def _made(ask: Ask, route: tuple[str, str]) -> str:
    answer = ask(valid(route, Known()))
    assert answer.status == 201, answer
    return str(json.loads(answer.body)["id"])


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False
