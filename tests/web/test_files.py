"""Signed links: who holds one may read one file, and the file can do nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from myriad.farm import Farm
from myriad.link import sign_link
from tests.web.drawing import png


def link(farm: Farm, key: str, lasting: timedelta = timedelta(minutes=1)) -> str:
    return f"/files/{sign_link(farm.secret, key, datetime.now(UTC) + lasting)}"


def test_picture_is_shown_and_cannot_act(client: FlaskClient, farm: Farm) -> None:
    farm.storage.put("images/a.png", png(), "image/png")
    response = client.get(link(farm, "images/a.png"))
    assert response.data == png()
    assert response.content_type == "image/png"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-site"
    assert response.headers["Content-Disposition"] == "inline; filename=a.png"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "private" in response.headers["Cache-Control"]
    again = client.get(
        link(farm, "images/a.png"), headers={"If-None-Match": response.headers["ETag"]}
    )
    assert again.status_code == 304


@pytest.mark.parametrize("name", ["page.html", "vector.svg", "script.js", "nothing"])
def test_anything_else_is_only_saved(client: FlaskClient, farm: Farm, name: str) -> None:
    farm.storage.put(f"images/{name}", b"<script>alert(1)</script>", "text/html")
    response = client.get(link(farm, f"images/{name}"))
    assert response.mimetype == "application/octet-stream"
    assert response.headers["Content-Disposition"] == f"attachment; filename={name}"


def test_links_are_refused_once_altered_or_old(client: FlaskClient, farm: Farm) -> None:
    farm.storage.put("images/a.png", png(), "image/png")
    good = link(farm, "images/a.png")
    old = link(farm, "images/a.png", timedelta(seconds=-1))
    forged = f"/files/{sign_link('other', 'images/a.png', datetime.now(UTC) + timedelta(1))}"
    for bad in (good[:-2] + "xx", old, forged, "/files/x"):
        response = client.get(bad)
        assert response.status_code == 403
        assert response.json["error"]["code"] == "forbidden"


@pytest.mark.parametrize("key", ["../myriad.db", "/etc/passwd", "images/none.png", "a\0b"])
def test_signed_link_leads_to_no_other_file(client: FlaskClient, farm: Farm, key: str) -> None:
    assert client.get(link(farm, key)).status_code == 404
