"""Pages: what strangers wrote is text there, and no form is sent without its token."""

from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient

from tests.hostile.generate import routes_of
from tests.hostile.xss import PAYLOADS
from tests.web.conftest import farm_of
from tests.web.drawing import fail_job, finish_job
from tests.web.test_pages import FORM, csrf
from web.app import FrontEnd

Structure = list[tuple[str, tuple[str, ...]]]
AS_BROWSER = {"Accept": "text/html"}
_ADDRESSES = ("href", "src", "action", "formaction", "content")


@pytest.fixture(scope="module")
def client(app: FrontEnd) -> FlaskClient:
    return app.test_client()


class _Reader(HTMLParser):
    """Elements with the names of their attributes; what they say is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Structure = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))
        self.addresses += [text or "" for name, text in attrs if name in _ADDRESSES]


def _structure(page: str) -> Structure:
    reader = _Reader()
    reader.feed(page)
    # What begins with a question mark leads back here, whatever it asks for.
    elsewhere = [text for text in reader.addresses if not text.startswith("?")]
    assert not any("javascript:" in text or "evil.example" in text for text in elsewhere)
    return reader.found


def _pages(client: FlaskClient, app: FrontEnd, text: str, *, is_drawn: bool) -> list[Structure]:
    """Every page that shows a job whose texts are all `text`."""
    asked = {
        "prompt": text,
        "negative_prompt": text,
        "metadata": {text[:64]: text},
        "model": "tiny",
        "cache": False,
    }
    answer = client.post("/api/v1/jobs", json=asked)
    assert answer.status_code == 201, answer.text
    job = answer.json["id"]
    (finish_job if is_drawn else fail_job)(farm_of(app), job)
    paths = [f"/jobs/{job}", f"/jobs/{job}/panel", f"/jobs/{job}/delete"]
    if not is_drawn:  # the front page also shows the last pictures
        paths.append(f"/?from={job}")
    return [_structure(client.get(path).text) for path in paths]


@pytest.mark.parametrize("is_drawn", [True, False])
def test_what_was_asked_for_is_never_markup(
    client: FlaskClient, app: FrontEnd, is_drawn: bool
) -> None:
    plain = _pages(client, app, "a plain text", is_drawn=is_drawn)
    for payload in PAYLOADS:
        assert _pages(client, app, payload, is_drawn=is_drawn) == plain, payload


@pytest.mark.parametrize("name", ["prompt", "scheduler", "size", "image_id"])
def test_nor_is_what_a_form_says(client: FlaskClient, name: str) -> None:
    token, found = csrf(client), []
    for text in ("plain", *PAYLOADS[::3]):
        data = {**FORM, "num_images": "x", "csrf_token": token, name: text}
        answer = client.post("/", data=data)
        assert answer.status_code == 400
        found.append(_structure(answer.text))
    assert all(each == found[0] for each in found)


@pytest.mark.parametrize("path", ["/nothing", "/gallery", "/", "/login"])
def test_nor_is_what_an_address_says(client: FlaskClient, path: str) -> None:
    for name in ("next", "lang", "model"):
        found = [
            _structure(client.get(path, query_string={name: text}, headers=AS_BROWSER).text)
            for text in ("plain", *PAYLOADS[::6])
        ]
        assert all(each == found[0] for each in found), name


def test_the_gallery_shows_texts_too(client: FlaskClient) -> None:
    page = client.get("/gallery").text
    _structure(page)
    assert page.count("<script") == page.count("<script nonce=")


def test_no_form_is_taken_without_its_token(client: FlaskClient, app: FrontEnd) -> None:
    rules = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("pages.")}
    posts = [rule for method, rule in routes_of(app.url_map) if method == "POST" and rule in rules]
    assert len(posts) > 5
    for rule in posts:
        path = rule.replace("<job:job_id>", "0" * 32)
        for token in ({}, {"csrf_token": ""}, {"csrf_token": "forged"}):
            answer = client.post(path, data={**FORM, **token})
            assert answer.status_code == 400, path


def test_headers_on_every_route(client: FlaskClient, app: FrontEnd) -> None:
    for method, rule in routes_of(app.url_map):
        path = rule.replace("<job:", "<").replace("<path:", "<").replace("<", "x").replace(">", "")
        with client.open(path, method=method) as answer:
            headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff", rule
        assert headers["Content-Security-Policy"].startswith("default-src 'none'"), rule
        assert "unsafe" not in headers["Content-Security-Policy"], rule
        assert headers["Cross-Origin-Resource-Policy"] in ("same-origin", "same-site"), rule
        assert "Access-Control-Allow-Origin" not in headers, rule
        assert "Server" not in headers, rule
