"""Bombs handed in at every door and in every manner: refused, and nobody else's address fetched."""

import base64
import resource
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.doors.comfyui_graphs import image_to_image
from tests.hostile.sample import PNG
from tests.web.bombs import BOMBS, with_secrets
from tests.webhook.peers import Trap
from web.app import FrontEnd

SOME = ("50,000 × 50,000 png", "65,000 × 65,000 jpeg", "16,384 × 16,384 webp", "animated png",
        "huge text", "a thousand scans", "svg", "eps", "cut jpeg")  # fmt: skip
_KIB_MORE = 200_000

Send = Callable[[FlaskClient, Any], TestResponse]


def _uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def _bare(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _json(path: str, *names: str, **more: Any) -> Callable[[FlaskClient, str], TestResponse]:
    """Posts an object with the picture's text at the place that `names` lead to."""

    def send(client: FlaskClient, text: str) -> TestResponse:
        value: Any = text
        for name in reversed(names):
            value = [value] if name == "0" else {name: value}
        return client.post(path, json=more | value)

    return send


def _form(path: str, name: str, **more: Any) -> Callable[[FlaskClient, bytes], TestResponse]:
    def send(client: FlaskClient, data: bytes) -> TestResponse:
        return client.post(path, data={**more, name: (BytesIO(data), "a.png")})

    return send


TEXT_FIELDS = {
    "native image": _json("/api/v1/jobs", "image", prompt="a", model="tiny", strength=0.5),
    "native mask": _json("/api/v1/jobs", "mask", prompt="a", image=_uri(PNG), strength=0.5),
    "replicate image": _json("/v1/models/myriad/tiny/predictions", "input", "image"),
    "replicate mask": _json("/v1/models/myriad/tiny/predictions", "input", "mask"),
    "huggingface": _json("/hf/models/tiny", "inputs", parameters={"prompt": "a"}),
    "a1111 init": _json("/sdapi/v1/img2img", "init_images", "0", prompt="a"),
    "a1111 mask": _json("/sdapi/v1/img2img", "mask", init_images=[_bare(PNG)]),
    "a1111 png-info": _json("/sdapi/v1/png-info", "image"),
}
"""Fields that hold a picture as text."""

PARTS = {
    "native input": _form("/api/v1/inputs", "file"),
    "native part": _form("/api/v1/jobs", "image", params='{"prompt": "a", "strength": 0.5}'),
    "replicate file": _form("/v1/files", "content"),
    "openai edit": _form("/v1/images/edits", "image", prompt="a", model="tiny"),
    "comfyui": _form("/upload/image", "image"),
}
"""Parts that hold a picture's file."""

URLS = ("http://127.0.0.1:{port}/a.png", "http://localhost:{port}/", "http://[::1]:{port}/",
        "HTTP://0:{port}/", "//127.0.0.1:{port}/a.png", "http:/127.0.0.1:{port}/",
        "ftp://127.0.0.1:{port}/a.png", "file:///etc/passwd", "/etc/passwd",
        "http://127.0.0.1:{port}/v1/files/" + "0" * 64,
        "data:text/html,<script>alert(1)</script>",
        "data:image/svg+xml;base64,PHN2Zy8+")  # fmt: skip


@pytest.fixture(scope="module")
def client(app: FrontEnd) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="module")
def trap() -> Iterator[Trap]:
    trap = Trap()
    yield trap
    trap.close()


@pytest.mark.parametrize("way", [*TEXT_FIELDS, *PARTS])
def test_bombs_are_refused_at_every_door(client: FlaskClient, way: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    encode = _uri if way.startswith(("native", "replicate")) else _bare
    for name in SOME:
        data = BOMBS[name]
        send = PARTS[way](client, data) if way in PARTS else TEXT_FIELDS[way](client, encode(data))
        assert 400 <= send.status_code < 500, (name, send.text[:300])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < _KIB_MORE


@pytest.mark.parametrize("way", TEXT_FIELDS)
def test_no_address_is_ever_fetched(client: FlaskClient, trap: Trap, way: str) -> None:
    for template in URLS:
        answer = TEXT_FIELDS[way](client, template.replace("{port}", str(trap.port)))
        assert 400 <= answer.status_code < 500, (template, answer.text[:300])
    assert trap.connections() == 0


def test_nor_one_that_a_graph_names(client: FlaskClient, trap: Trap) -> None:
    for template in (*URLS, "../../../etc/passwd", "a.png [temp]", "a.png\0"):
        graph = image_to_image("a", template.replace("{port}", str(trap.port)), 0.5)
        graph["4"]["inputs"]["ckpt_name"] = "tiny"
        assert client.post("/prompt", json={"prompt": graph}).status_code == 400, template
    assert trap.connections() == 0


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("way", ["replicate file", "comfyui"])
def test_what_is_given_back_tells_nothing_of_its_maker(
    client: FlaskClient, way: str, kind: str
) -> None:
    answer = PARTS[way](client, with_secrets(kind))
    name = answer.json.get("name" if way == "comfyui" else "id")
    name = name if name.endswith("_.png") or way == "comfyui" else f"{name}.png"
    shown = client.get("/view", query_string={"filename": name, "type": "input"})
    assert shown.status_code == 200
    assert b"secret" not in shown.data
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
