"""`myriad keys`: what it makes, shows and refuses."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from myriad.cli.commands import commands
from myriad.db.migrate import upgrade

Keys = Callable[..., Result]


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    """Runs `myriad keys …` over a database of its own."""
    monkeypatch.setenv("MYRIAD_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    upgrade(f"sqlite:///{tmp_path / 'myriad.db'}")
    runner = CliRunner()
    return lambda *words: runner.invoke(commands, ["keys", *words])


def made(result: Result) -> tuple[str, str]:
    """Id and key, as they were shown."""
    assert result.exit_code == 0, result.stderr
    key_id, key = re.findall(r"^(?:id|key) +(\S+)$", result.stdout, re.MULTILINE)
    return key_id, key


def facts(keys: Keys, key_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(keys("show", key_id, "--json").stdout)
    return found


def test_a_database_without_tables_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYRIAD_HOME", str(tmp_path))
    early = CliRunner().invoke(commands, ["keys", "list"])
    assert early.stderr == "error: the database is not up to date: run `myriad migrate`\n"


def test_keys_are_made_listed_and_revoked(keys: Keys) -> None:
    key_id, key = made(keys("create", "alice"))
    assert key.startswith("mk_")
    listed = keys("list").stdout
    assert re.search(rf"{key_id} +alice +read write +good", listed)
    (line,) = keys("list", "--json").stdout.splitlines()
    assert json.loads(line) == facts(keys, key_id)
    assert keys("revoke", key_id).exit_code == 0
    assert re.search(rf"{key_id} +alice +read write +revoked", keys("list").stdout)
    shown = keys("show", key_id).stdout + listed + line
    assert key.removeprefix("mk_") not in shown


def test_scopes_limits_and_end_are_the_key_s_own(keys: Keys) -> None:
    options = ("--scope", "read", "--scope", "metrics", "--expires", "30d")
    limits = ("--limit", "max_queued=100", "--limit", "megapixel_steps_per_day=0.5")
    key_id, _ = made(keys("create", "bob", *options, *limits))
    found = facts(keys, key_id)
    assert found["scopes"] == ["metrics", "read"]
    assert found["limits"] == {"max_queued": 100, "megapixel_steps_per_day": 0.5}
    end = datetime.fromisoformat(found["expires_at"])
    assert abs(end - datetime.now(UTC) - timedelta(days=30)) < timedelta(hours=1)
    key_id, _ = made(keys("create", "carol", "--expires", "2999-12-31"))
    assert facts(keys, key_id)["expires_at"] == "2999-12-31T00:00:00Z"


def test_a_rotation_shows_a_new_secret(keys: Keys) -> None:
    key_id, first = made(keys("create", "alice"))
    same_id, second = made(keys("rotate", key_id, "--grace", "7d"))
    assert (same_id, first != second) == (key_id, True)
    until = datetime.fromisoformat(facts(keys, key_id)["old_secret_until"])
    assert until - datetime.now(UTC) > timedelta(days=6)
    keys("revoke", key_id)
    refused = keys("rotate", key_id)
    assert (refused.exit_code, refused.stderr) == (2, f"error: key {key_id} is revoked\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("create", ""), "error: name: must be 1 to 64 printable characters"),
        (("create", "a\nb"), "error: name: must be 1 to 64 printable characters"),
        (("create", "x", "--scope", "root"), "error: Invalid value for '--scope'"),
        (
            ("create", "x", "--expires", "2020-01-01"),
            "error: Invalid value for '--expires': is past",
        ),
        (("create", "x", "--expires", "0s"), "error: Invalid value for '--expires': is past"),
        (
            ("create", "x", "--expires", "soon"),
            "error: Invalid value for '--expires': must be like",
        ),
        (
            ("create", "x", "--limit", "max_queued"),
            "error: Invalid value for '--limit': must be NAME=",
        ),
        (
            ("create", "x", "--limit", "max_queued=nan"),
            "error: Invalid value for '--limit': max_queued",
        ),
        (
            ("create", "x", "--limit", "rate_per_minute=0.4"),
            "error: Invalid value for '--limit': rate_per_minute: must be a whole number",
        ),
        (
            ("create", "x", "--limit", "all=1"),
            "error: Invalid value for '--limit': all: must be one",
        ),
        (("rotate", "none"), "error: no key none"),
        (("rotate", "none", "--grace", "1y"), "error: Invalid value for '--grace': must be like"),
        (("revoke", "none"), "error: no key none"),
        (("show", "none"), "error: no key none"),
    ],
)
def test_what_cannot_be_is_one_line(keys: Keys, words: tuple[str, ...], line: str) -> None:
    failed = keys(*words)
    assert failed.exit_code == 2
    assert failed.stderr.startswith(line)
    assert len(failed.stderr.splitlines()) == 1
    assert keys("list", "--json").stdout == ""
