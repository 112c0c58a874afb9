"""Workers on a machine of their own are those of docker-compose.yml, reaching it from outside."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from myriad.settings import Settings
from tests.deploy.compose import make_env, read_env, services, variables
from tests.processes import ROOT

PRIVATE = ROOT / "deploy" / "compose.private.yml"
WORKER = ROOT / "deploy" / "compose.worker.yml"
ADDRESS = "10.0.0.1"
# Secrets of web, of the sender, and of the store alone.
KEPT_HERE = {"MYRIAD_SECRET", "MYRIAD_WEBHOOK_SECRET", "GARAGE_RPC_SECRET"}


def worker_env(here: Path) -> dict[str, str]:
    """What deploy/make-worker-env.sh makes of the .env at `here`."""
    command = ("sh", str(ROOT / "deploy" / "make-worker-env.sh"), ADDRESS, str(here))
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The first machine's .env."""
    make_env(tmp_path / "env")
    return tmp_path / "env"


@pytest.mark.parametrize("name", services(path=WORKER))
def test_a_worker_there_is_a_worker_here(here: Path, name: str) -> None:
    ours, theirs = services(read_env(here))[name], services(worker_env(here), WORKER)[name]
    apart = {"build", "networks", "depends_on", "environment", "env_file", "volumes"}
    assert without(ours, apart) == without(theirs, apart)
    assert ours["build"] | {"context": ".."} == theirs["build"]
    assert mounts(ours, ROOT) == mounts(theirs, WORKER.parent)
    seen_from_there = {
        name: re.sub(r"(?<=[@/])(postgres|valkey|garage):", f"{ADDRESS}:", value)
        for name, value in ours["environment"].items()
    }
    assert theirs["environment"].items() <= seen_from_there.items()


def without(service: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in service.items() if key not in keys}


def mounts(service: dict[str, Any], folder: Path) -> list[tuple[Path | str, str]]:
    """Each as it is on the host, and where it is seen."""
    pairs = [volume.split(":", 1) for volume in service["volumes"]]
    return [((folder / src).resolve() if "/" in src else src, to) for src, to in pairs]


def test_all_that_is_required_there_is_written_here(here: Path) -> None:
    required = {name for name, is_needed in variables(WORKER).items() if is_needed}
    assert required <= set(worker_env(here))


def test_secrets_that_workers_do_not_need_stay_here(here: Path) -> None:
    kept = {read_env(here)[name] for name in KEPT_HERE}
    assert not kept & set(worker_env(here).values())


def test_settings_go_along_as_they_are(here: Path) -> None:
    chosen = {"MYRIAD_VISIBLE_MARK": "AI 生成", "MYRIAD_LEASE_S": "30", "HF_ENDPOINT": "https://m"}
    files = {"MYRIAD_POOLS_FILE": "./deploy/pools-gpu.toml", "MYRIAD_MODELS": "/srv/models"}
    own = {"MYRIAD_BIND": "0.0.0.0", "MYRIAD_PRIVATE_ADDRESS": ADDRESS}
    with here.open("a") as env:
        env.writelines(f"{name}={value}\n" for name, value in (chosen | files | own).items())
    told = worker_env(here)
    assert chosen.items() <= told.items()
    assert told["MYRIAD_MODELS"] == "/srv/models"
    assert (WORKER.parent / told["MYRIAD_POOLS_FILE"]).is_file()
    assert not own.keys() & told.keys()
    others = {name for name in variables() if name.startswith("MYRIAD_")}
    given = {name for name in told if name.startswith("MYRIAD_")}
    assert given <= others | {f"MYRIAD_{name.upper()}" for name in Settings.model_fields}


def test_what_workers_reach_is_opened_on_one_address() -> None:
    opened = services({"MYRIAD_PRIVATE_ADDRESS": ADDRESS}, PRIVATE)
    ports = [port for service in opened.values() for port in service["ports"]]
    assert ports == [f"{ADDRESS}:{port}:{port}" for port in (5432, 6379, 3900)]
    assert set(opened) <= set(services())
