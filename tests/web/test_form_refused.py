"""A form that cannot be taken now comes back as it was filled in, and says why."""

import re
from html import unescape

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from myriad.db.keys import create_key
from myriad.farm import Farm
from tests.web.bombs import picture
from tests.web.conftest import OpenApp
from tests.web.login import log_in
from tests.web.test_form_extras import file, hidden, send
from tests.web.test_outage import NOWHERE
from tests.web.test_pages import FORM, csrf, text

KEPT = {"prompt": "not to be typed again", "negative_prompt": "lost", "guidance_scale": "3.25"}


def check_refusal(answer: TestResponse, status: int, words: str) -> None:
    assert answer.status_code == status
    assert int(answer.headers["Retry-After"]) > 0
    assert words in text(answer.text)
    page = unescape(answer.text)
    for value in KEPT.values():
        assert re.search(rf'>{value}</textarea>|value="{value}"', page)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_queued": 1}, "as many pictures waiting"),
        ({"megapixel_steps_per_day": 0.04}, "as much as you may today"),
    ],
)
def test_a_limit_loses_nothing(
    client: FlaskClient, farm: Farm, limits: dict[str, float], words: str
) -> None:
    _, key = create_key(farm.db, "me", limits=limits)
    log_in(client, key)
    assert send(client).status_code == 303
    check_refusal(send(client, **KEPT), 429, words)


def test_nor_does_a_rate(open_app: OpenApp) -> None:
    client = open_app(rate_creates="1/day").test_client()
    assert send(client).status_code == 303
    check_refusal(send(client, **KEPT), 429, "too much to do")


def test_pictures_handed_in_are_kept(client: FlaskClient, farm: Farm) -> None:
    _, key = create_key(farm.db, "me", limits={"max_queued": 1})
    log_in(client, key)
    assert send(client).status_code == 303
    answer = send(client, **KEPT, image=file(picture()))
    check_refusal(answer, 429, "as many pictures waiting")
    assert 'class="kept"' in answer.text
    again = send(client, **KEPT, image_id=hidden(answer.text, "image"))
    assert hidden(again.text, "image") == hidden(answer.text, "image")


def test_nor_does_a_database_that_is_away(open_app: OpenApp) -> None:
    there, away = (open_app(**each).test_client() for each in ({}, {"database_url": NOWHERE}))
    form = {**FORM, **KEPT, "image_id": "a" * 64, "csrf_token": csrf(there)}
    cookie = there.get_cookie("myriad")
    assert cookie
    away.set_cookie("myriad", cookie.value)
    answer = away.post("/", data=form)
    check_refusal(answer, 503, "A part of the farm is away")
    assert hidden(answer.text, "image") == "a" * 64
    assert away.get("/gallery").status_code == 503
