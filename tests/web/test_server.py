"""A real gunicorn on loopback: malformed requests, byte for byte, and the copied cURL."""

import html
import json
import re
import shlex
import shutil
import socket
import subprocess
from contextlib import suppress
from itertools import pairwise
from urllib.parse import urlsplit

import httpx
import pytest

from tests.web.conftest import Site

HEAD = b"POST /api/v1/jobs HTTP/1.1\r\nHost: farm\r\nConnection: close\r\n"
JSON = b"Content-Type: application/json\r\n"
GOOD = b'{"prompt": "a circle"}'


def send(site: Site, raw: bytes, *, half_close: bool = False) -> tuple[int, bytes]:
    """Status and body of the first answer to these very bytes."""
    parts = urlsplit(site.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may have seen enough
            connection.sendall(raw)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answer = _read(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def _read(connection: socket.socket) -> bytes:
    answer = b""
    with suppress(ConnectionResetError):  # it may close without reading all we sent
        while piece := connection.recv(65_536):
            answer += piece
    return answer


def post(body: bytes, *headers: bytes) -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return HEAD + b"".join(header + b"\r\n" for header in headers) + length + b"\r\n" + body


def code(body: bytes) -> str:
    return str(json.loads(body)["error"]["code"])


def test_hundred_thousand_brackets(site: Site) -> None:
    status, body = send(site, post(b"[" * 100_000, JSON.strip()))
    assert (status, code(body)) == (400, "invalid_request")


def test_json_under_another_content_type(site: Site) -> None:
    status, body = send(site, post(GOOD, b"Content-Type: text/plain"))
    assert (status, code(body)) == (415, "unsupported_media_type")


def test_nul_in_the_prompt(site: Site) -> None:
    status, body = send(site, post(b'{"prompt": "a\\u0000b"}', JSON.strip()))
    assert (status, code(body)) == (400, "invalid_request")
    assert json.loads(body)["error"]["field"] == "prompt"


def test_too_large_a_body(site: Site) -> None:
    status, body = send(site, HEAD + JSON + b"Content-Length: 90000000\r\n\r\n" + b"x" * 1000)
    assert (status, code(body)) == (413, "body_too_large")


def test_too_large_a_body_in_chunks(site: Site) -> None:
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    raw = HEAD + JSON + b"Transfer-Encoding: chunked\r\n\r\n" + piece * 40 + b"0\r\n\r\n"
    status, body = send(site, raw)
    assert (status, code(body)) == (413, "body_too_large")


def test_good_body_in_chunks(site: Site) -> None:
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
    status, body = send(site, HEAD + JSON + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
    assert status == 201
    assert json.loads(body)["status"] == "queued"


def test_body_shorter_than_it_claims(site: Site) -> None:
    raw = HEAD + JSON + b"Content-Length: 500\r\n\r\n" + GOOD
    status, body = send(site, raw, half_close=True)
    assert (status, code(body)) == (400, "invalid_request")


ODD_HEADERS = {
    "negative length": b"Content-Length: -1\r\n",
    "length in words": b"Content-Length: ten\r\n",
    "two lengths": b"Content-Length: 22\r\nContent-Length: 5\r\n",
    "length and chunks": b"Content-Length: 22\r\nTransfer-Encoding: chunked\r\n",
    "odd encoding": b"Transfer-Encoding: gzip, chunked, identity\r\n",
    "obs-fold": b"Content-Length: 22\r\nX-A: b\r\n c\r\n",
    "nul in a header": b"Content-Length: 22\r\nX-A: b\0c\r\n",
    "space before colon": b"Content-Length : 22\r\n",
}


@pytest.mark.parametrize("headers", ODD_HEADERS.values(), ids=ODD_HEADERS.keys())
def test_requests_that_servers_read_differently(site: Site, headers: bytes) -> None:
    status, _ = send(site, HEAD + JSON + headers + b"\r\n" + GOOD, half_close=True)
    assert 400 <= status <= 501
    assert status != 500


def test_jobs_outlive_the_request(site: Site) -> None:
    with httpx.Client(base_url=site.url, trust_env=False) as client:
        job = client.post("/api/v1/jobs", json={"prompt": "一个圆"}).json()
        assert job["urls"]["get"] == f"{site.url}/api/v1/jobs/{job['id']}"
        assert client.get(job["urls"]["get"]).json()["id"] == job["id"]


def test_copied_curl_runs_as_is(site: Site) -> None:
    prompt = 'it\'s "quoted" $HOME `id` 红色 \\ !'
    with httpx.Client(base_url=site.url, trust_env=False) as client:
        job = client.post("/api/v1/jobs", json={"prompt": prompt}).json()
        client.post(f"/api/v1/jobs/{job['id']}/cancel")
        page = client.get(f"/jobs/{job['id']}").text
        match = re.search(r'<code id="curl">(.*?)</code>', page, flags=re.DOTALL)
        assert match
        command = html.unescape(match[1]).replace("Prefer: wait", "Prefer: wait=0")
        answer = _run(command)
        assert answer["input"] == job["input"]


def _run(command: str) -> dict[str, object]:
    if shutil.which("curl"):
        shell = ["sh", "-c", f"{command} --noproxy '*'"]
        done = subprocess.run(shell, capture_output=True, text=True, check=True)
        return dict(json.loads(done.stdout))
    words = shlex.split(command)
    headers = dict(word.split(": ", 1) for flag, word in pairwise(words) if flag == "-H")
    body = words[words.index("--data-raw") + 1]
    return dict(
        httpx.post(words[2], headers=headers, content=body.encode(), trust_env=False).json()
    )
