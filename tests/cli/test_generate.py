"""`myriad generate`: where pictures go, and what is said meanwhile."""

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from myriad.cli.commands import commands
from myriad.cli.picture_file import slug


@pytest.fixture
def asked(farm_url: str) -> list[str]:
    return ["generate", "--url", farm_url, "--steps", "2"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_are_called_after_prompt_and_seed(
    cli: CliRunner, asked: list[str], folder: Path
) -> None:
    asked = [*asked, "A red circle!", "--num-images", "2", "--format", "webp"]
    done = cli.invoke(commands, [*asked, "--seed", "7"])
    names = ["a-red-circle-7.webp", "a-red-circle-8.webp"]
    assert done.stdout.split() == [str(folder / name) for name in names]
    assert cli.invoke(commands, [*asked, "--seed", "7"]).stdout == done.stdout
    (folder / names[0]).write_bytes(b"another picture")
    again = cli.invoke(commands, [*asked, "--seed", "7"])
    assert again.stdout.split()[0] == str(folder / "a-red-circle-7-2.webp")
    assert (folder / names[0]).read_bytes() == b"another picture"
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("白色背景上的红色圆形", "白色背景上的红色圆形"),
        ("../../etc/passwd", "etc-passwd"),
        ("?", "picture"),
        ("one two " * 9, "one-two-one-two-one-two-one-two-one-two"),
        ("x" * 99, "x" * 40),
    ],
)
def test_a_name_is_short_and_of_letters(prompt: str, name: str) -> None:
    assert slug(prompt) == name


def test_standard_output_and_input(cli: CliRunner, asked: list[str], folder: Path) -> None:
    done = cli.invoke(commands, [*asked, "-", "-o", "-", "--seed", "1"], input="从管道来\n")
    assert done.exit_code == 0, done.stderr
    named = cli.invoke(commands, [*asked, "从管道来", "-o", "x.png", "--seed", "1"])
    assert named.exit_code == 0
    assert (folder / "x.png").read_bytes() == done.stdout_bytes
    bad = cli.invoke(commands, [*asked, "-"], input=b"\xff")
    assert (bad.stderr, bad.exit_code) == ("error: Invalid value for PROMPT: is not UTF-8\n", 2)


def test_json_is_all_there_is_on_stdout(cli: CliRunner, asked: list[str], folder: Path) -> None:
    options = ["--priority", "3", "--deadline", "600", "--label", "for=me", "--no-cache"]
    done = cli.invoke(commands, [*asked, "as json", "--json", "--watch", *options])
    job = json.loads(done.stdout)
    (file,) = job["files"]
    assert hashlib.sha256(Path(file).read_bytes()).hexdigest() == job["output"][0]["sha256"]
    assert (job["priority"], job["metadata"]) == (3, {"for": "me"})
    assert job["deadline_at"] is not None
    failed = cli.invoke(commands, [*asked, "nan", "--json"])
    assert (failed.exit_code, json.loads(failed.stdout)["files"]) == (1, [])
    assert failed.stderr == "error: the job failed: not a number\n"


def test_watching_without_a_terminal_is_plain_lines(cli: CliRunner, asked: list[str]) -> None:
    done = cli.invoke(commands, [*asked, "slow lines", "--no-cache", "--watch", "--steps", "4"])
    lines = done.stderr.splitlines()
    assert lines[-1] == "succeeded"
    assert any(line.startswith("denoise, step ") and line.endswith(" of 4") for line in lines)
    assert "\x1b" not in done.stderr
    assert len(set(lines)) == len(lines)
