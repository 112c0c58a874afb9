"""`myriad worker POOL --index N`: each worker of a machine takes the device of its number."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

POOLS = """
[[pool]]
name = "gpu"
stages = ["encode", "denoise", "decode"]
device = "cuda"

[[pool]]
name = "first"
stages = ["denoise"]
device = "cuda:0"
"""
# In the place of a worker, which needs the device it is told.
STAND_IN = "import os, sys; print(sys.argv[1], os.environ['MYRIAD_DEVICE'])"


def worker(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    (folder / "pools.toml").write_text(POOLS)
    (folder / "workers.py").write_text(STAND_IN)
    return subprocess.run(
        (sys.executable, "-m", "myriad", "worker", *words),
        cwd=folder,
        env=os.environ | {"MYRIAD_POOLS": "pools.toml"} | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("gpu",), "gpu cuda:0\n"),
        (("gpu", "--index", "1"), "gpu cuda:1\n"),
        (("first", "--index", "1"), "first cuda:0\n"),
    ],
)
def test_a_worker_takes_the_device_of_its_number(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    done = worker(tmp_path, *words)
    assert (done.stdout, done.returncode) == (told, 0), done.stderr


def test_the_setting_overrules_the_number(tmp_path: Path) -> None:
    done = worker(tmp_path, "gpu", "--index", "1", MYRIAD_DEVICE="cpu")
    assert done.stdout == "gpu cpu\n", done.stderr


def test_an_unknown_pool_is_named(tmp_path: Path) -> None:
    done = worker(tmp_path, "tpu")
    assert done.returncode == 2
    assert "no pool 'tpu'; there are: gpu, first" in done.stderr
