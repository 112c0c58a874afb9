"""Secrets are made once, private, and the same for all."""

import multiprocessing
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from myriad.errors import ConfigError
from myriad.secret import load_secret, load_webhook_secret

UNSET = SecretStr("")


def test_the_setting_wins_and_no_file_is_made(tmp_path: Path) -> None:
    assert load_secret(SecretStr("chosen"), tmp_path / "secret") == "chosen"
    assert list(tmp_path.iterdir()) == []


def test_a_secret_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "home" / "secret"
    secret = load_secret(UNSET, path)
    assert len(secret) >= 43
    assert load_secret(UNSET, path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_webhook_secret_fits_the_standard(tmp_path: Path) -> None:
    secret = load_webhook_secret(UNSET, tmp_path / "webhook-secret")
    assert secret.startswith("whsec_")
    assert load_webhook_secret(UNSET, tmp_path / "webhook-secret") == secret
    Webhook(secret)


@pytest.mark.parametrize("text", ["secret", "whsec_", "whsec_%%%%", "whsec_c2hvcnQ=", "whsec_é"])
def test_a_webhook_secret_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        load_webhook_secret(SecretStr(text), tmp_path / "webhook-secret")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").touch()
    with pytest.raises(ConfigError, match="is empty"):
        load_secret(UNSET, tmp_path / "secret")


def test_processes_that_race_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        found = pool.starmap(load_secret, [(UNSET, tmp_path / str(n % 5)) for n in range(40)])
    assert len(set(found)) == 5
