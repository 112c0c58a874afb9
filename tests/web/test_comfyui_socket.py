"""Sockets under a real gunicorn: they hold no thread, and a bad handshake does no harm."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import websocket

from myriad.embedded import EmbeddedValkey
from myriad.settings import Settings
from tests.processes import wait_until
from tests.web.conftest import make_home
from tests.web.server import free_port, serve


@pytest.fixture(scope="module")
def url(
    tmp_path_factory: pytest.TempPathFactory, _migrated: Path, valkey: EmbeddedValkey
) -> Iterator[str]:
    """A front end of one thread."""
    home = make_home(tmp_path_factory.mktemp("sockets"), _migrated)
    settings = Settings(
        home=home, catalog=home / "catalog.toml", redis_url=valkey.url, port=free_port()
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYRIAD_WEB_THREADS", "1")
        with serve(settings, tmp_path_factory.mktemp("logs")) as address:
            yield address


def test_sockets_hold_no_thread(url: str) -> None:
    address = f"{url.replace('http', 'ws')}/ws?clientId=me"
    opened = [
        websocket.create_connection(address, http_no_proxy=["127.0.0.1"], timeout=20)
        for _ in range(3)
    ]
    for each in opened:
        assert json.loads(each.recv()) == {
            "type": "status",
            "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "me"},
        }
        each.send("what clients say has no meaning")
        each.ping()
    assert httpx.get(f"{url}/livez", trust_env=False).is_success
    graph = {
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny"}},
        "5": {
            "class_type": "EmptyLatentImage",
            "inputs": {"width": 64, "height": 64, "batch_size": 1},
        },
        "6": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 1], "text": "x"}},
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "seed": 7,
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
    queued = httpx.post(f"{url}/prompt", json={"prompt": graph}, trust_env=False)
    assert queued.status_code == 200, queued.text
    for each in opened:
        status = json.loads(each.recv())["data"]["status"]
        assert status == {"exec_info": {"queue_remaining": 1}}
        each.close()


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
