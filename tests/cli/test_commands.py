"""What the commands print, and how they fail."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from myriad.cli.commands import PLACES, commands
from myriad.client import Client
from tests.processes import ROOT, wait_until
from tests.web.bombs import picture


def test_generate_prints_the_path_it_wrote(cli: CliRunner, farm_url: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "red.png"
    asked = ["generate", "--url", farm_url, "-o", str(path), "--seed", "3", "红色 'circle' $x"]
    done = cli.invoke(commands, asked)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{path}\n"
    assert path.stat().st_size == 32


def test_several_pictures_get_numbers(cli: CliRunner, farm_url: str, tmp_path: Path) -> None:
    asked = [
        "generate",
        "--url",
        farm_url,
        "-o",
        str(tmp_path / "a.webp"),
        "--num-images",
        "2",
        "x",
    ]
    done = cli.invoke(commands, asked)
    assert done.stdout.split() == [str(tmp_path / "a-1.webp"), str(tmp_path / "a-2.webp")]
    assert (tmp_path / "a-1.webp").read_bytes() != (tmp_path / "a-2.webp").read_bytes()


@pytest.mark.parametrize(
    ("options", "line", "code"),
    [
        (["--url", "http://"], "error: Invalid value for --url: names no host", 2),
        (["--url", "http://x:y"], "error: Invalid value for --url: ", 2),
        (["--key", "mk_…"], "error: Invalid value for --key: is not an API key", 2),
        (["-o", "-", "--num-images", "2"], "error: Invalid value for --output: standard out", 2),
        (["-o", "-", "--json"], "error: --json needs standard output for itself", 2),
        (["-o", "x.png", "--format", "webp"], "error: Invalid value for --format: is not what", 2),
        (["--strength", "nan"], "error: Invalid value for '--strength': must be a number", 2),
        (["--deadline", "0"], "error: deadline_s: ", 2),
        (["--priority", "101"], "error: priority: ", 2),
        (["--label", "made"], "error: Invalid value for '--label': must be NAME=TEXT", 2),
        (["--width", "7"], "error: width: ", 2),
        (["--model", "none"], "error: model: must be one of tiny", 2),
        (["-o", "x.gif"], "error: Invalid value for --output: must end in .png", 2),
        (["--url", "ftp://x"], "error: Invalid value for --url: must start with http", 2),
        (["--url", "http://127.0.0.1:1"], "error: no farm answers at http://127.0.0.1:1", 3),
        (["-o", "/proc/x.png"], "error: /proc/x.png: ", 1),
    ],
)
def test_what_is_wrong_is_one_line(
    cli: CliRunner, farm_url: str, options: list[str], line: str, code: int
) -> None:
    failed = cli.invoke(commands, ["generate", "x", "--url", farm_url, *options])
    assert failed.exit_code == code
    last = failed.stderr.splitlines()[-1]
    assert last.startswith(line)
    assert "Traceback" not in failed.stderr


def test_pictures_are_handed_in(cli: CliRunner, farm_url: str, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(picture())
    (tmp_path / "mask.webp").write_bytes(picture("WEBP"))
    asked = ["generate", "a masked circle", "--url", farm_url, "-o", str(tmp_path / "out.png")]
    asked += ["--image", str(tmp_path / "in.png"), "--mask", str(tmp_path / "mask.webp")]
    asked += ["--strength", "0.5", "--reproducible", "--width", "64", "--height", "64"]
    done = cli.invoke(commands, asked)
    assert done.exit_code == 0, done.stderr
    with Client(farm_url) as client:
        job = next(job for job in client.jobs() if _is_of(job, "a masked circle"))
    assert job["input"]["image"] != job["input"]["mask"] is not None
    assert (job["input"]["strength"], job["input"]["reproducible"]) == (0.5, True)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--lora", "none:0.5"], "error: loras.0.name: must be"),
        (["--lora", "none", "--lora", "x:9"], "error: loras.1.scale: "),
        (["--refiner", "none:0.5"], "error: refiner.model: must be"),
        (["--controlnet", "none:{}"], "error: controlnets.0.model: must be"),
        (["--controlnet", "none:{}:3"], "error: controlnets.0.scale: "),
        (["--controlnet", "none"], "error: Invalid value for '--controlnet': must be MODEL:FILE"),
        (["--controlnet", "none:no.png"], "error: Invalid value for '--controlnet': File 'no.png'"),
        (["--image", "no.png"], "error: Invalid value for '--image': File 'no.png'"),
        (["--num-frames", "5"], "error: num_frames: model tiny does not do text-to-video"),
        (["-o", "x.mp4"], "error: output_format: must be one of png"),
        (["--mask", "{}"], "error: mask: needs an image"),
    ],
)
def test_what_is_wrong_with_pictures_is_one_line(
    cli: CliRunner, farm_url: str, tmp_path: Path, options: list[str], line: str
) -> None:
    path = tmp_path / "a:1.png"
    path.write_bytes(picture())
    given = [option.format(path) for option in options]
    failed = cli.invoke(commands, ["generate", "x", "--url", farm_url, *given])
    assert failed.exit_code == 2
    assert failed.stderr.splitlines()[-1].startswith(line)


def test_a_failed_job_says_why(cli: CliRunner, farm_url: str, tmp_path: Path) -> None:
    failed = cli.invoke(
        commands, ["generate", "nan", "--url", farm_url, "-o", str(tmp_path / "x.png")]
    )
    assert failed.exit_code == 1
    assert failed.stderr.splitlines()[-1] == "error: the job failed: not a number"
    assert not (tmp_path / "x.png").exists()


def test_ctrl_c_cancels_the_job(farm_url: str, tmp_path: Path) -> None:
    prompt = f"for long {tmp_path.name}"
    options = ("--url", farm_url, "--steps", "150", "-o", str(tmp_path / "x.png"))
    argv = (sys.executable, "-m", "myriad", "generate", prompt, *options)
    with (
        Client(farm_url) as client,
        subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True) as drawing,
    ):
        wait_until(lambda: any(_is_of(job, prompt) for job in client.jobs("running")))
        drawing.send_signal(signal.SIGINT)
        _, said = drawing.communicate()
        assert drawing.returncode == 130
        assert said.endswith("error: interrupted\n")
        (job,) = (job for job in client.jobs() if _is_of(job, prompt))
        assert job["status"] == "canceled"


def test_jobs_lists_and_filters(cli: CliRunner, farm_url: str) -> None:
    with Client(farm_url) as client:
        job_id = client.submit("a [red] circle", seed=1)["id"]
        client.wait(job_id)
    table = cli.invoke(commands, ["jobs", "--url", farm_url]).stdout
    assert re.search(rf"{job_id} +succeeded .* a \[red\] circle", table)
    lines = cli.invoke(commands, ["jobs", "--url", farm_url, "--json", "--status", "succeeded"])
    assert {json.loads(line)["status"] for line in lines.stdout.splitlines()} == {"succeeded"}
    of_none = cli.invoke(commands, ["jobs", "--url", farm_url, "--json", "--model", "none"])
    assert of_none.stdout == ""


def test_a_narrow_terminal_cuts_no_id_and_no_address(cli: CliRunner, farm_url: str) -> None:
    """What a pipe gets is 80 columns wide, too."""
    narrow = {"COLUMNS": "80", "MYRIAD_URL": farm_url}
    with Client(farm_url) as client:
        job = client.wait(client.submit("words " * 20, seed=1)["id"])
    table = cli.invoke(commands, ["jobs"], env=narrow).stdout
    assert re.search(rf"^ {job['id']}  succeeded ", table, re.MULTILINE)
    assert max(map(len, table.splitlines())) <= 80
    shown = cli.invoke(commands, ["job", job["id"]], env=narrow).stdout
    assert job["output"][0]["url"] in "".join(shown.split())


def test_cancel_says_how_the_job_stands(cli: CliRunner, farm_url: str) -> None:
    with Client(farm_url) as client:
        job_id = client.submit("to be canceled", num_inference_steps=150, cache=False)["id"]
    done = cli.invoke(commands, ["cancel", job_id, "0" * 32, "--url", farm_url])
    assert done.stdout == f"{job_id} canceled\n"
    assert (done.stderr, done.exit_code) == (f"error: no job {'0' * 32}\n", 2)


def test_delete_leaves_nothing(cli: CliRunner, farm_url: str) -> None:
    with Client(farm_url) as client:
        job_id = client.submit("to be deleted", num_inference_steps=1)["id"]
    deleted = cli.invoke(commands, ["delete", job_id, "--url", farm_url])
    assert deleted.stdout == f"{job_id} deleted\n"
    gone = cli.invoke(commands, ["job", job_id, "--url", farm_url])
    assert (gone.stderr, gone.exit_code) == (f"error: no job {job_id}\n", 2)


def test_job_shows_one(cli: CliRunner, farm_url: str) -> None:
    with Client(farm_url) as client:
        job_id = client.submit("shown", seed=5, num_inference_steps=1, metadata={"for": "me"})["id"]
        client.wait(job_id)
    shown = cli.invoke(commands, ["job", job_id, "--url", farm_url]).stdout
    for line in (r"status +succeeded", rf"id +{job_id}", r"seed +5", r"label for +me"):
        assert re.search(rf"^ *{line}", shown, re.MULTILINE)
    whole = cli.invoke(commands, ["job", job_id, "--json", "--url", farm_url]).stdout
    assert json.loads(whole)["metadata"] == {"for": "me"}


def test_models_are_listed(cli: CliRunner, farm_url: str) -> None:
    listed = cli.invoke(commands, ["models"], env={"MYRIAD_URL": farm_url})
    assert re.search(r"tiny +sd +512x512 +en", listed.stdout)
    (line,) = cli.invoke(commands, ["models", "--json", "--url", farm_url]).stdout.splitlines()
    assert json.loads(line)["name"] == "tiny"


def test_web_without_keys_stays_on_this_machine(
    cli: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYRIAD_HOME", str(tmp_path))
    monkeypatch.setenv("MYRIAD_HOST", "0.0.0.0")
    cli.invoke(commands, ["migrate"])
    refused = cli.invoke(commands, ["web"])
    assert refused.exit_code == 2
    assert "without API keys" in refused.stderr


def test_every_command_explains_itself(cli: CliRunner) -> None:
    listed = cli.invoke(commands, ["--help"]).stdout
    for name in PLACES:
        assert re.search(rf"^  {name} ", listed, re.MULTILINE)
        assert cli.invoke(commands, [name, "--help"]).exit_code == 0
    assert cli.invoke(commands, ["nonsense"]).stderr == "error: No such command 'nonsense'.\n"


def test_an_unknown_pool_is_one_line(cli: CliRunner) -> None:
    failed = cli.invoke(commands, ["worker", "none"])
    assert failed.exit_code == 2
    assert failed.stderr == "error: no pool 'none'; there are: all\n"


def _is_of(job: dict[str, dict[str, str]], prompt: str) -> bool:
    return job["input"]["prompt"] == prompt
