"""The real command, as anyone runs it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from myriad.pool import load_pools
from tests.processes import ROOT


def doctor(*options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `myriad doctor` to its end."""
    return subprocess.run(
        (sys.executable, "-m", "myriad", "doctor", *options),
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=110,
    )


@pytest.fixture(scope="module")
def report(farm_folder: Path) -> dict[str, Any]:
    """The whole examination of the tiny model, as JSON."""
    done = doctor(
        "--json",
        "--budget=30",
        MYRIAD_CATALOG=str(farm_folder / "catalog.toml"),
        MYRIAD_POOLS=str(farm_folder / "pools.toml"),
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_bundled_model_in_words(tmp_path: Path) -> None:
    done = doctor("--quick", "--size", "128x64")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 120
    for title in ("This machine", "Devices", "Models", "Warnings", "Recommended pools.toml"):
        assert title in lines
    assert f"torch {torch.__version__}" in done.stdout
    assert re.search(r"^  cpu +.* free of ", done.stdout, re.MULTILINE)
    assert re.search(r"precisions +fp32 \(\d[\d,]* GFLOP/s\)", done.stdout)
    weights = re.search(r"myriad-shapes +denoise +(\d+) MiB +(\d+) MiB", done.stdout)
    assert weights
    assert int(weights[1]) == pytest.approx(2 * int(weights[2]), abs=1)
    rows = re.findall(r"myriad-shapes +all +(\w+) +128x64 +1 +\S+ MiB +(\d+)", done.stdout)
    assert {stage for stage, _ in rows} == {"denoise", "decode"}
    assert all(int(count) > 10 for _, count in rows)
    assert "costs here" not in done.stdout
    path = tmp_path / "pools.toml"
    path.write_text(done.stdout.partition("Recommended pools.toml\n")[2])
    assert load_pools(path)[0].device == "cpu"


def test_devices_and_their_precisions(report: dict[str, Any]) -> None:
    assert report["machine"]["cpu_capability"] == torch.backends.cpu.get_cpu_capability()
    assert report["machine"]["packages"]["torch"] == torch.__version__
    cpu = report["devices"][-1]
    assert cpu["name"] == "cpu"
    assert 0 < cpu["free_bytes"] < cpu["total_bytes"] <= psutil.virtual_memory().total
    precisions = {each["name"]: each for each in cpu["precisions"]}
    assert set(precisions) == {"fp32", "fp16", "bf16", "fp8", "int8"}
    assert precisions["fp32"]["works"]
    assert precisions["fp32"]["gflops"] > 0
    assert all(each["works"] or each["reason"] for each in cpu["precisions"])
    assert "native" in cpu["attention"]


def test_what_fits(report: dict[str, Any], farm_folder: Path) -> None:
    tiny, elsewhere = report["models"]
    assert not elsewhere["is_here"]
    assert elsewhere["note"] == "someone/a-model is not here"
    file = farm_folder / "sd" / "unet" / "diffusion_pytorch_model.safetensors"
    weights = tiny["weights_bytes"]["denoise"]
    assert weights["fp32"] == pytest.approx(file.stat().st_size, rel=0.05)  # and a header
    assert weights["fp32"] == 2 * weights["bf16"] == 4 * weights["int8"]
    encoder = tiny["weights_bytes"]["encode"]
    assert encoder["fp32"] == 2 * encoder["bf16"] == 2 * encoder["int8"]  # 8 bits: denoisers
    fits = {(fit["pool"], fit["stage"], fit["width"], fit["height"]): fit for fit in tiny["fits"]}
    usual, largest = fits["all", "denoise", 32, 16], fits["all", "denoise", 64, 64]
    assert usual["max_rows"] > largest["max_rows"] > 100
    assert largest["row_bytes"] == pytest.approx(usual["row_bytes"] * 8, rel=0.2)
    assert fits["gpu", "denoise", 32, 16]["max_rows"] is None
    assert fits["gpu", "denoise", 32, 16]["note"] == "the pool cannot run here"
    assert fits["small", "decode", 32, 16]["max_rows"] == 0
    assert "exceed the pool's memory" in fits["small", "decode", 32, 16]["note"]


def test_what_it_costs(report: dict[str, Any]) -> None:
    measured = report["costs"]
    assert (measured["model"], measured["width"], measured["height"]) == ("tiny", 32, 16)
    assert measured["notes"] == []
    costs = measured["costs"]
    own = [cost for cost in costs if cost["threads"] == 1]
    assert [(cost["stage"], cost["rows"]) for cost in own] == [
        ("encode", 1),
        *(("denoise", rows) for rows in (1, 2, 4, 8)),
        ("decode", 1),
    ]
    assert all(cost["seconds"] > 0 and not cost["is_estimate"] for cost in own)
    assert {cost["pool"] for cost in costs} == {"all"}


def test_warnings(report: dict[str, Any]) -> None:
    text = "\n".join(report["warnings"])
    assert re.search(r"^pool gpu: device 'cuda:7' in fp32 cannot be used here", text, re.M)
    assert "tiny at 32x16 does not fit pool small (decode): its weights" in text
    assert "elsewhere must be downloaded first, but HF_HUB_OFFLINE is set" in text
    assert "the pools on the CPU have 65 torch threads together" in text


def test_the_recommended_pools_can_be_used(report: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "pools.toml"
    path.write_text(report["pools_toml"])
    pools = load_pools(path)
    assert sum(int(pool.memory) for pool in pools) < psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--size", "12"), "error: Invalid value for '--size': must be WIDTHxHEIGHT"),
        (("--model", "none"), "error: model: must be one of myriad-shapes"),
    ],
)
def test_what_is_wrong_is_one_line(options: tuple[str, ...], line: str) -> None:
    failed = doctor(*options)
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1].startswith(line)
    assert "Traceback" not in failed.stderr
