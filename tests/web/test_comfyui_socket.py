"""Sockets under a real gunicorn: they hold no thread, and a bad handshake does no harm."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
import websocket

from myriad.embedded import EmbeddedValkey
from myriad.farm import open_farm
from myriad.settings import Settings
from tests.processes import wait_until
from tests.web.conftest import Site, make_home
from tests.web.drawing import finish_job
from tests.web.server import free_port, serve


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, _migrated: Path, valkey: EmbeddedValkey
) -> Iterator[Site]:
    """A front end of one thread."""
    home = make_home(tmp_path_factory.mktemp("sockets"), _migrated)
    settings = Settings(
        home=home, catalog=home / "catalog.toml", redis_url=valkey.url, port=free_port()
    )
    farm = open_farm(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYRIAD_WEB_THREADS", "1")
        with serve(settings, tmp_path_factory.mktemp("logs")) as address:
            yield Site(address, farm)
    farm.close()


@pytest.fixture
def url(site: Site) -> str:
    return site.url


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False) as client:
        yield client


def graph(seed: int) -> dict[str, object]:
    """A small picture of nothing in particular."""
    return {
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny"}},
        "5": {
            "class_type": "EmptyLatentImage",
            "inputs": {"width": 64, "height": 64, "batch_size": 1},
        },
        "6": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 1], "text": "x"}},
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "seed": seed,
                "steps": 4,
                "cfg": 3,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1,
                "model": ["4", 0],
                "positive": ["6", 0],
                "negative": ["6", 0],
                "latent_image": ["5", 0],
            },
        },
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}},
    }


def listening(url: str, client: str) -> websocket.WebSocket:
    return websocket.create_connection(
        f"{url.replace('http', 'ws')}/ws?clientId={client}",
        http_no_proxy=["127.0.0.1"],
        timeout=20,
    )


def queue(http: httpx.Client, seed: int, client: str = "") -> str:
    """The id of a job for that graph."""
    queued = http.post("/prompt", json={"prompt": graph(seed), "client_id": client})
    assert queued.status_code == 200, queued.text
    return str(queued.json()["prompt_id"])


def test_sockets_hold_no_thread(url: str, http: httpx.Client) -> None:
    opened = [listening(url, "me") for _ in range(3)]
    for each in opened:
        assert json.loads(each.recv()) == {
            "type": "status",
            "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "me"},
        }
        each.send("what clients say has no meaning")
        each.ping()
    assert httpx.get(f"{url}/livez", trust_env=False).is_success
    queue(http, seed=7)
    for each in opened:
        status = json.loads(each.recv())["data"]["status"]
        assert status == {"exec_info": {"queue_remaining": 1}}
        each.close()


def test_a_job_is_told_of_however_many_wait_behind_it(site: Site, http: httpx.Client) -> None:
    early = queue(http, seed=99, client="many")
    listener = listening(site.url, "many")
    waiting = [queue(http, seed=100 + each, client="many") for each in range(60)]
    for prompt_id in (early, waiting[0], waiting[-1]):
        finish_job(site.farm, UUID(prompt_id).hex)
        heard = []
        while not heard or heard[-1]["data"].get("node", "") is not None:
            heard.append(json.loads(listener.recv()))
        assert {each["data"].get("prompt_id", prompt_id) for each in heard} == {prompt_id}
        assert [each["type"] for each in heard[-3:]] == [
            "executed",
            "execution_success",
            "executing",
        ]
    listener.close()


def test_a_client_that_talks_without_end_is_shut_out(url: str) -> None:
    talker = listening(url, "talker")
    with talker.sock:
        with suppress(OSError):
            for _ in range(2000):
                talker.send("x")
        frame = talker.recv_frame()
        while frame.opcode != websocket.ABNF.OPCODE_CLOSE:
            frame = talker.recv_frame()
    assert frame.data[2:] == b"too many messages"


def test_a_bad_handshake_is_answered_or_ends(url: str) -> None:
    host = urlsplit(url)
    start = f"GET /ws HTTP/1.1\r\nHost: {host.netloc}\r\nUpgrade: websocket\r\n"
    for rest in ("", "Connection: Upgrade\r\n", "Sec-WebSocket-Version: 13\r\n"):
        with socket.create_connection((host.hostname or "", host.port or 0), timeout=20) as raw:
            raw.sendall(f"{start}{rest}\r\n".encode())
            assert raw.recv(100).startswith(b"HTTP/1.1 400")
    for rest in ("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n",):
        with socket.create_connection((host.hostname or "", host.port or 0), timeout=20) as raw:
            raw.sendall(f"{start}{rest}\r\n".encode())
            raw.recv(100)  # whatever is said, the front end lives
    wait_until(lambda: httpx.get(f"{url}/livez", trust_env=False).is_success, what="an answer")
