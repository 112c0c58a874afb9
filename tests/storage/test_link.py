"""Signed links: the ones we gave out, while they last, and no others."""

import string
from datetime import UTC, datetime, timedelta

import pytest
from itsdangerous import URLSafeSerializer

from myriad.errors import Forbidden
from myriad.link import check_link, sign_link

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = "images/ab/cd.png"
TOKEN = sign_link("secret", KEY, NOW + timedelta(minutes=15))


def test_a_link_names_its_key_until_it_expires() -> None:
    assert check_link("secret", TOKEN, NOW) == KEY
    assert check_link("secret", TOKEN, NOW + timedelta(seconds=899)) == KEY
    for late in (timedelta(seconds=900), timedelta(days=1)):
        with pytest.raises(Forbidden):
            check_link("secret", TOKEN, NOW + late)


def test_the_present_is_the_default() -> None:
    assert check_link("secret", sign_link("secret", KEY, datetime.now(UTC) + timedelta(1))) == KEY
    with pytest.raises(Forbidden):
        check_link("secret", sign_link("secret", KEY, datetime.now(UTC) - timedelta(seconds=1)))


def test_every_other_spelling_is_refused() -> None:
    """Each position takes each letter of the alphabet: only the original is valid."""
    alphabet = string.ascii_letters + string.digits + "-_."
    for place, original in enumerate(TOKEN):
        for letter in alphabet.replace(original, ""):
            with pytest.raises(Forbidden):
                check_link("secret", TOKEN[:place] + letter + TOKEN[place + 1 :], NOW)


@pytest.mark.parametrize("token", ["", ".", "a.b", TOKEN[:-1], TOKEN + "=", TOKEN + "\n", "é.é"])
def test_nonsense_is_refused(token: str) -> None:
    with pytest.raises(Forbidden):
        check_link("secret", token, NOW)


def test_another_secret_or_purpose_is_refused() -> None:
    with pytest.raises(Forbidden):
        check_link("other", TOKEN, NOW)
    with pytest.raises(Forbidden):
        check_link("secret", URLSafeSerializer("secret", salt="session").dumps([KEY, 2**40]), NOW)


def test_a_token_is_safe_in_a_path() -> None:
    assert set(TOKEN) <= set(string.ascii_letters + string.digits + "-_.")
