"""The command line as people use it: processes of its own, on a terminal and without one."""

import json
import os
import pty
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from model.check import looks_like
from myriad.cli.batch_log import MANIFEST, STATE
from myriad.client import Client
from tests.doors.conftest import DoorFarm
from tests.processes import ROOT, wait_until

CIRCLE = "a red circle on a white background"


def start(farm: DoorFarm, *command: str, **options: Any) -> "subprocess.Popen[bytes]":
    known = {"MYRIAD_URL": farm.url, "MYRIAD_KEY": farm.key}
    terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "80", "LINES": "30"}
    return subprocess.Popen(
        (sys.executable, "-m", "myriad", *command),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **terminal, **known},
        stdin=subprocess.DEVNULL,
        **options,
    )


def test_the_picture_is_seen_while_it_is_drawn(door_farm: DoorFarm, tmp_path: Path) -> None:
    path = tmp_path / "circle.png"
    ours, theirs = pty.openpty()
    asked = ("generate", CIRCLE, "--seed", "7", "--steps", "100", "--no-cache", "--watch")
    drawing = start(door_farm, *asked, "-o", str(path), stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    screen = _read(ours)
    stdout, _ = drawing.communicate()
    assert (drawing.returncode, stdout.decode()) == (0, f"{path}\n"), screen
    assert "▀" in screen.rpartition(" of 100")[0]  # a preview, with the bar under it
    assert "▀" in screen.rpartition("succeeded")[2]  # the picture, when the bar is gone
    assert looks_like(
        Image.open(BytesIO(path.read_bytes())), shape="circle", colour="red", background="white"
    )


def test_an_interrupted_batch_goes_on_and_draws_nothing_twice(
    door_farm: DoorFarm, tmp_path: Path
) -> None:
    file, out = tmp_path / "many.jsonl", tmp_path / "many"
    asked = {"prompt": CIRCLE, "cache": False, "metadata": {"of": tmp_path.name}}
    lines = [
        {**asked, "seed": seed, "num_inference_steps": steps}
        for seed, steps in enumerate((20, 9999, 120, 120, 120))
    ]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    first = start(door_farm, "batch", str(file), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: (out / "0001.png").exists())
    first.send_signal(signal.SIGINT)
    _, said = first.communicate()
    assert first.returncode == 130, said
    assert b"run it again" in said
    assert len(_entries(out / MANIFEST)) < 5
    begun = _entries(out / STATE)
    again = start(door_farm, "batch", str(file), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _, said = again.communicate()
    assert again.returncode == 1, said
    records = _entries(out / MANIFEST)
    states = [record["status"] for record in records]
    assert states == ["succeeded", "refused", *["succeeded"] * 3]
    assert records[1]["error"].startswith("num_inference_steps: ")
    assert {entry["job"] for entry in begun} <= {record["job"] for record in records}
    with Client(door_farm.url, door_farm.key) as client:
        theirs = [job["id"] for job in client.jobs() if job["metadata"].get("of") == tmp_path.name]
    drawn = [record["job"] for record in records if record["job"]]
    assert sorted(drawn) == sorted(theirs)
    assert len(set(drawn)) == 4


def _entries(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def _read(terminal: int) -> str:
    """All that is written to it until nobody has it open."""
    parts = []
    try:
        while part := os.read(terminal, 65_536):
            parts.append(part)
    except OSError:  # so Linux says that it was closed
        pass
    os.close(terminal)
    return b"".join(parts).decode()
