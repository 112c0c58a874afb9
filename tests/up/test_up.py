"""`myriad up` with a real (tiny) model: one command draws a picture and leaves nothing behind."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.processes import ROOT
from tests.up.conftest import is_running
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
def environment(tmp_path: Path) -> dict[str, str]:
    save_sd(tmp_path / "tiny")
    (tmp_path / "catalog.toml").write_text(CATALOG)
    return os.environ | {
        "MYRIAD_HOME": str(tmp_path / "home"),
        "MYRIAD_CATALOG": str(tmp_path / "catalog.toml"),
    }


def up(environment: dict[str, str], *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        (sys.executable, "-m", "myriad", "up", *options),
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.timeout(400)
def test_draws_a_prompt_and_leaves_nothing_behind(
    environment: dict[str, str], free_port: int
) -> None:
    done = up(environment, "--port", str(free_port), "--prompt", '"红" $1 `x`', "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"http://127.0.0.1:{free_port}" in done.stdout
    (path,) = re.findall(r"^/.*\.png$", done.stdout, re.MULTILINE)
    with Image.open(path) as picture:
        assert picture.size == (64, 64)
        assert '"红" $1 `x`' in str(picture.info)
    started = [int(pid) for pid in re.findall(r"started +pid (\d+)", done.stdout)]
    assert len(started) == 5
    assert not any(is_running(pid) for pid in started)


def test_a_port_in_use_is_told_before_anything_starts(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = up(environment, "--port", str(port))
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: cannot listen on 127.0.0.1:{port}")
    assert refused.stderr.count("\n") == 1
    assert not Path(environment["MYRIAD_HOME"]).exists()


def test_an_open_farm_is_not_shown_to_the_network(
    environment: dict[str, str], free_port: int
) -> None:
    refused = up(environment | {"MYRIAD_HOST": "0.0.0.0"}, "--port", str(free_port))
    assert refused.returncode == 2
    assert "error: will not listen on 0.0.0.0 without API keys" in refused.stderr


def test_bad_settings_are_one_message(environment: dict[str, str]) -> None:
    refused = up(environment | {"MYRIAD_PORT": "x", "MYRIAD_LEASE_S": "-1"})
    assert refused.returncode == 2
    assert {"MYRIAD_PORT", "MYRIAD_LEASE_S"} <= set(re.findall(r"MYRIAD_\w+", refused.stderr))
    assert "Traceback" not in refused.stderr
