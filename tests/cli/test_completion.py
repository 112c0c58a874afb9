"""What a shell is told when somebody presses Tab."""

import pytest
from click.testing import CliRunner

from myriad.cli.commands import commands
from myriad.client import Client


def complete(cli: CliRunner, url: str, *words: str) -> list[str]:
    """What bash is offered for the last of these words."""
    environment = {
        "_MYRIAD_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("myriad", *words)),
        "COMP_CWORD": str(len(words)),
        "MYRIAD_URL": url,
    }
    done = cli.invoke(commands, env=environment, prog_name="myriad")
    assert (done.exit_code, done.stderr) == (0, "")
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_the_command(cli: CliRunner, shell: str) -> None:
    printed = cli.invoke(commands, ["completion", shell])
    assert printed.exit_code == 0
    assert f"_MYRIAD_COMPLETE={shell}_complete" in printed.stdout


def test_models_and_jobs_come_from_the_farm(cli: CliRunner, farm_url: str) -> None:
    with Client(farm_url) as client:
        job_id = client.submit("to complete", num_inference_steps=1)["id"]
    assert complete(cli, farm_url, "generate", "--model", "ti") == ["tiny"]
    assert complete(cli, farm_url, "job", job_id[:8]) == [job_id]


def test_without_a_farm_there_is_nothing_and_no_error(cli: CliRunner) -> None:
    assert complete(cli, "http://127.0.0.1:1", "generate", "--model", "ti") == []
