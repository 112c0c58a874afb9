"""`myriad batch`: what it writes, and that it goes on where it was."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from myriad.cli.batch_file import read_lines
from myriad.cli.batch_log import MANIFEST, STATE, Record, open_log
from myriad.cli.batch_run import BatchRun
from myriad.cli.commands import commands
from myriad.client import Client, Job
from myriad.errors import Conflict, TooManyJobs, Unavailable
from tests.client.lossy import PASS, Lossy, losing
from tests.web.bombs import picture


@pytest.fixture
def client(farm_url: str) -> Iterator[Client]:
    with Client(farm_url) as connected:
        yield connected


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prompts.jsonl"


def run(cli: CliRunner, farm_url: str, file: Path, *options: str) -> Result:
    return cli.invoke(commands, ["batch", str(file), "--url", farm_url, *options])


def write(file: Path, *lines: dict[str, Any] | str) -> None:
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    file.write_text("\n".join(texts), "utf-8")


def manifest(file: Path) -> list[dict[str, Any]]:
    text = (file.with_suffix("") / MANIFEST).read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def ask(text: str, **fields: Any) -> dict[str, Any]:
    return {"prompt": text, "num_inference_steps": 2, **fields}


def test_pictures_and_manifest_are_in_the_order_of_the_lines(
    cli: CliRunner, farm_url: str, file: Path
) -> None:
    write(file, ask("蓝", seed=7), "", ask("two", num_images=2, seed=1))
    done = run(cli, farm_url, file)
    assert done.exit_code == 0, done.stderr
    records = manifest(file)
    assert [record["line"] for record in records] == [1, 3, 3]
    assert [record["seed"] for record in records] == [7, 1, 2]
    names = ["0001.png", "0003-1.png", "0003-2.png"]
    assert [record["file"] for record in records] == names
    assert done.stdout.split() == [str(file.with_suffix("") / name) for name in names]
    assert done.stderr.endswith(f"2 succeeded; all in {file.with_suffix('') / MANIFEST}\n")


def test_a_bad_line_stops_no_other(cli: CliRunner, farm_url: str, file: Path) -> None:
    bad = ["{", "[]", '{"seed": 1}', '{"prompt": "x", "seed": NaN}', '{"prompt": "\\ud800"}']
    bad += ['{"prompt": "x", "idempotency_key": "k"}']
    refused: list[dict[str, Any]] = [ask("x", width=7), ask("x", shape="round")]
    write(file, *bad, *refused, ask("x", image="none.png"), ask("nan"), ask("good"))
    done = run(cli, farm_url, file, "--json")
    assert done.exit_code == 1
    assert "Traceback" not in done.stderr
    records = manifest(file)
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(printed, key=lambda record: record["line"]) == records
    assert [record["status"] for record in records] == ["refused"] * 9 + ["failed", "succeeded"]
    told = [record["error"] for record in records]
    assert [text[:8] for text in told[:2]] == ["not JSON", "not a JS"]
    assert told[6].startswith("width: ")
    assert told[7] == "shape: there is no such field"
    assert told[8].endswith("none.png: No such file or directory")
    assert told[9] == "not a number"


def test_again_it_asks_for_nothing_twice(
    cli: CliRunner, farm_url: str, file: Path, client: Client
) -> None:
    write(file, ask("once", seed=1), ask("once", seed=2))
    run(cli, farm_url, file)
    first = manifest(file)
    newest = next(client.jobs())["id"]
    (file.with_suffix("") / "0002.png").unlink()
    write(file, ask("new", seed=3), ask("once", seed=1), ask("once", seed=2))
    done = run(cli, farm_url, file)
    assert done.exit_code == 0, done.stderr
    new, *old = manifest(file)
    assert [record["job"] for record in old] == [record["job"] for record in first]
    assert [record["line"] for record in old] == [2, 3]
    assert new["file"].startswith("0001-")
    jobs = client.jobs()
    assert [next(jobs)["id"], next(jobs)["id"]] == [new["job"], newest]


def test_a_lost_folder_costs_no_second_drawing(cli: CliRunner, farm_url: str, file: Path) -> None:
    write(file, ask("lost", cache=False), ask("lost", cache=False))
    run(cli, farm_url, file)
    first = [record["job"] for record in manifest(file)]
    assert len(set(first)) == 2
    run(cli, farm_url, file, "--out", str(file.parent / "other"))
    lines = (file.parent / "other" / MANIFEST).read_text().splitlines()
    assert [json.loads(line)["job"] for line in lines] == first


def test_what_failed_is_drawn_again_on_demand(
    cli: CliRunner, farm_url: str, file: Path, client: Client
) -> None:
    write(file, ask("nan", seed=99))
    run(cli, farm_url, file)
    (first,) = manifest(file)
    assert run(cli, farm_url, file).exit_code == 1
    assert manifest(file) == [first]
    run(cli, farm_url, file, "--retry-failed")
    (second,) = manifest(file)
    assert (second["status"], second["job"] != first["job"]) == ("failed", True)
    client.delete(second["job"])
    (file.with_suffix("") / MANIFEST).unlink()
    run(cli, farm_url, file)
    assert manifest(file)[0]["job"] not in (None, second["job"])


def test_pictures_are_named_by_file(
    cli: CliRunner, farm_url: str, file: Path, client: Client
) -> None:
    (file.parent / "in.png").write_bytes(picture())
    write(file, ask("from a file", image="in.png", mask="in.png", width=64, height=64))
    (before,) = read_lines(file)
    done = run(cli, farm_url, file)
    assert done.exit_code == 0, done.stderr
    job = client.get(manifest(file)[0]["job"])
    assert len(job["input"]["image"]) == len(job["input"]["mask"]) == 64
    (file.parent / "in.png").write_bytes(picture("WEBP"))
    (after,) = read_lines(file)
    assert before.key != after.key


class FullFarm(Client):
    """Has no room for these lines when they come first."""

    def __init__(self, url: str, *refused: str) -> None:
        super().__init__(url)
        self.refused = set(refused)

    def submit(self, prompt: str, **options: Any) -> Job:
        if prompt in self.refused:
            self.refused.remove(prompt)
            raise TooManyJobs("too many of your jobs wait", retry_after_s=600)
        return super().submit(prompt, **options)


def lines_done(client: Client, file: Path) -> list[int]:
    """Draw the batch beside its file: the lines in the order in which they succeeded."""
    told: list[int] = []

    def tell(records: list[Record]) -> None:
        told.extend(each["line"] for each in records if each["status"] == "succeeded")

    with open_log(file.parent) as log:
        BatchRun(client, log, file.parent, file.parent, tell, again=False).run(read_lines(file))
    return told


def test_a_full_farm_gets_the_next_line_when_one_is_done(farm_url: str, file: Path) -> None:
    write(file, *(ask(word, cache=False) for word in ("first", "second", "third", "fourth")))
    with FullFarm(farm_url, "second", "fourth") as client:
        assert lines_done(client, file) == [1, 2, 3, 4]
        assert client.refused == set()


@pytest.fixture
def lossy(farm_url: str) -> Iterator[Lossy]:
    with losing(farm_url) as way:
        yield way


def test_a_farm_that_goes_away_is_waited_for(lossy: Lossy, file: Path) -> None:
    write(file, ask("before", cache=False), ask("after", cache=False))
    away: tuple[int, dict[str, str]] = (502, {})
    lossy.trouble = [PASS, away, away]  # as the second line is sent, and as the first is waited for
    with Client(lossy.url, retries=0) as client:
        assert lines_done(client, file) == [1, 2]
    assert lossy.trouble == []


def test_a_farm_that_was_never_there_is_not(lossy: Lossy, file: Path) -> None:
    write(file, ask("alone"))
    lossy.trouble = [(502, {})]
    with Client(lossy.url, retries=0) as client, pytest.raises(Unavailable):
        lines_done(client, file)


def test_a_torn_line_of_the_log_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / STATE).write_text('{"key": "a", "job": "1"}\n{"key": "b", "jo')
    with open_log(tmp_path) as log:
        log.note_job("c", "3")
        with pytest.raises(Conflict, match="at work"), open_log(tmp_path):
            pass
    with open_log(tmp_path) as log:
        assert [log.job_of(key) for key in "abc"] == ["1", None, "3"]


@pytest.mark.parametrize(
    ("text", "line"), [(b"", "has no lines"), (b"\xff", "is not UTF-8"), (b"\n \n", "has no lines")]
)
def test_what_is_no_batch_is_one_line(
    cli: CliRunner, farm_url: str, file: Path, text: bytes, line: str
) -> None:
    file.write_bytes(text)
    failed = run(cli, farm_url, file)
    assert failed.exit_code == 2
    assert line in failed.stderr
    assert not file.with_suffix("").exists()
