"""One farm with everything around it, made to be broken."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from myriad.db.migrate import upgrade
from myriad.farm import Farm, open_farm
from myriad.settings import Settings
from tests.chaos.bad_s3 import BadS3
from tests.chaos.clock_file import ClockFile
from tests.chaos.crew import Crew
from tests.chaos.history import History
from tests.chaos.receiver import Receiver
from tests.chaos.services import Broker, Postgres
from tests.processes import wait_until
from tests.tasks.jobs import pool
from tests.web.server import free_port

CATALOG = (
    '[[model]]\nname = "tiny"\nfamily = "sd"\nsource = "tiny"\nrevision = "r1"\n'
    "[model.defaults]\nwidth = 64\nheight = 64\n"
)
SECRET = "whsec_" + "bXlyaWFkLW15cmlhZC1teXJpYWQtbXlyaWFk"
S3_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "chaos", "AWS_SECRET_ACCESS_KEY": "chaos"}
SLOTS = 4
_WEBHOOK_TIMEOUT_S = 2.0
_BUCKET = "pictures"


@dataclass(frozen=True)
class World:
    """The farm's processes and services, each to be broken by the saboteur.

    `postgres` is there to be stopped; None: SQLite, or a server that others use too.
    """

    folder: Path
    farm: Farm  # our own door to database, broker and storage; its clock is true
    crew: Crew
    broker: Broker
    clock: ClockFile
    receiver: Receiver
    history: History
    url: str
    postgres: Postgres | None
    s3: BadS3 | None

    @property
    def faults(self) -> Path:
        return self.folder / "faults"


@contextmanager
def make_world(
    folder: Path,
    *,
    seed: int,
    database_url: str = "",
    postgres: Postgres | None = None,
    s3_upstream: str = "",
    lease_s: float = 2.0,
    stall_s: float = 1.0,
    most_failures: int = 9,
    more: Mapping[str, object] | None = None,
) -> Iterator[World]:
    """A farm that runs, in `folder`: by itself on SQLite and a folder for pictures.

    Webhooks fail up to `most_failures` times; `more` are settings of its own.
    """
    _write_files(folder, seed)
    with ExitStack() as stack:
        history = stack.enter_context(closing(History(folder / "history.jsonl")))
        clock = ClockFile(folder / "clock")
        receiver = Receiver(
            folder / "receiver.jsonl",
            SECRET,
            seed=seed,
            hang_s=_WEBHOOK_TIMEOUT_S + 1,
            most_failures=most_failures,
        )
        stack.callback(receiver.close)
        broker = Broker(folder / "valkey")
        stack.enter_context(broker)
        s3 = _open_s3(stack, s3_upstream, stall_s) if s3_upstream else None
        values = _settings(folder, broker, s3, lease_s)
        values |= {"database_url": database_url} if database_url else {}
        values |= more or {}
        settings = Settings(**values)
        upgrade(settings.database)
        farm = stack.enter_context(closing(open_farm(settings)))
        env = _environment(values, folder, clock)
        crew = stack.enter_context(closing(Crew(env, folder / "logs", history)))
        crew.start("web", "worker-1", "worker-2", "janitor", "sender")
        wait_until(lambda: _is_ready(settings.local_url), what="a farm that is ready")
        url = settings.local_url
        yield World(folder, farm, crew, broker, clock, receiver, history, url, postgres, s3)


def clear_folder(folder: Path) -> Path:
    """An empty folder in its place."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _write_files(folder: Path, seed: int) -> None:
    facts = {"seed": seed, "secret": SECRET, "slots": SLOTS, "max_tries": Settings().max_tries}
    (folder / "facts.json").write_text(json.dumps(facts))
    (folder / "catalog.toml").write_text(CATALOG)
    (folder / "pools.toml").write_text(pool("all", SLOTS))
    (folder / "faults").mkdir()


def _open_s3(stack: ExitStack, upstream: str, stall_s: float) -> BadS3:
    httpx.put(f"{upstream}/{_BUCKET}", trust_env=False)
    return stack.enter_context(closing(BadS3(upstream, stall_s)))


def _settings(folder: Path, broker: Broker, s3: BadS3 | None, lease_s: float) -> dict[str, Any]:
    stored = {"storage_url": f"s3://{_BUCKET}", "s3_endpoint_url": s3.url} if s3 else {}
    return {
        **stored,
        "home": folder / "home",
        "database_url": f"sqlite:///{folder / 'myriad.db'}",
        "redis_url": broker.url,
        "catalog": folder / "catalog.toml",
        "pools": folder / "pools.toml",
        "port": free_port(),
        "web_threads": 16,
        "lease_s": lease_s,
        "redispatch_s": 2 * lease_s,
        "janitor_interval_s": 0.2,
        "retry_delay_s": 0.2,
        "checkpoint_every_s": 0.02,
        "webhook_allow": "127.0.0.0/8",
        "webhook_secret": SECRET,
        "webhook_timeout_s": _WEBHOOK_TIMEOUT_S,
    }


def _environment(values: dict[str, Any], folder: Path, clock: ClockFile) -> dict[str, str]:
    return {
        **{f"MYRIAD_{name.upper()}": str(value) for name, value in values.items()},
        "MYRIAD_FAULTS": str(folder / "faults"),
        "MYRIAD_CLOCK_FILE": str(clock.path),
        **S3_CREDENTIALS,
        "OMP_NUM_THREADS": "1",
    }


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False
