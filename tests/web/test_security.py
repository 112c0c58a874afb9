"""Headers of every answer, and files that are exactly what they claim to be."""

import hashlib
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import web
from web.app import FrontEnd

STATIC = Path(web.__file__).parent / "static"
PATHS = ["/", "/gallery", "/docs", "/login", "/nope", "/openapi.json", "/api/v1/jobs", "/livez"]
PATHS += ["/static/app.css", "/static/vendor/htmx.min.js", "/files/x", "/metrics"]


@pytest.fixture(scope="module")
def client(module_app: FrontEnd) -> FlaskClient:
    return module_app.test_client()


@pytest.mark.parametrize("path", PATHS)
def test_headers_are_on_every_answer(client: FlaskClient, path: str) -> None:
    with client.get(path, headers={"Accept": "text/html"}) as response:
        headers = response.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http:" not in policy
    assert headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/", "/gallery", "/docs", "/login", "/nope"])
def test_every_script_carries_this_answer_s_nonce(client: FlaskClient, path: str) -> None:
    first, second = (client.get(path, headers={"Accept": "text/html"}) for _ in range(2))
    nonces = set(re.findall(r"<script nonce=\"([^\"]+)\"", first.text))
    assert len(nonces) == 1
    assert f"'nonce-{nonces.pop()}'" in first.headers["Content-Security-Policy"]
    assert first.text.count("<script") == len(re.findall(r"<script nonce=", first.text))
    assert first.headers["Content-Security-Policy"] != second.headers["Content-Security-Policy"]
    assert not re.search(r"\son\w+=|\sstyle=|javascript:", first.text)


@pytest.mark.parametrize("path", ["/", "/gallery", "/docs", "/login"])
def test_nothing_is_loaded_from_elsewhere(client: FlaskClient, path: str) -> None:
    page = client.get(path).text
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page.replace("http://localhost", ""))


def test_style_and_own_scripts_name_no_other_host() -> None:
    for name in ("app.css", "app.js", "docs.js", "mask.js", "icon.svg"):
        found = re.findall(r"(?:https?:)?//[a-z][^\s\"')]*", (STATIC / name).read_text())
        assert [address for address in found if "w3.org" not in address] == []


def test_vendored_files_are_the_published_ones() -> None:
    table = (STATIC / "vendor" / "README.md").read_text()
    listed = dict(re.findall(r"^\| `([^`]+)` .*`([0-9a-f]{64})` \|$", table, flags=re.MULTILINE))
    code = {path.name for path in (STATIC / "vendor").iterdir() if path.suffix in (".js", ".css")}
    assert set(listed) == code
    for name, digest in listed.items():
        data = (STATIC / "vendor" / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest


def test_host_header_is_not_trusted_with_odd_bytes(client: FlaskClient) -> None:
    for host in ('evil"><script>', "a b", "[::1", "x:99999999"):
        response = client.get("/api/v1/models", headers={"Host": host})
        assert response.status_code < 500
        assert "<script>" not in response.text
