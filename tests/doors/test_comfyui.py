"""ComfyUI's websocket example over a real farm: the stock workflows, and two callers apart."""

import io
import json
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import websocket
from PIL import Image

from model.check import check, looks_like
from model.draw import draw as paint
from model.measure import overlap, traced_scenes
from model.scene import Scene, Thing
from model.style import FRAMED
from tests.doors.comfyui_graphs import (
    Graph,
    image_to_image,
    inpaint,
    text_to_image,
    with_controlnet,
    with_lora,
)
from tests.doors.conftest import DoorFarm
from tests.processes import wait_until
from tests.workers.picture_input import half_mask

pytestmark = pytest.mark.timeout(300)
CIRCLE = "a red circle on a white background"
LEFT = Thing("circle", "red", "medium", 0.25, 0.5, 0.147)
RIGHT = Thing("square", "green", "medium", 0.75, 0.5, 0.147)
Message = dict[str, Any]


class Comfy:
    """What the example script does, with a key."""

    def __init__(self, farm: DoorFarm, key: str) -> None:
        self.url = farm.url
        self.headers = {"Authorization": f"Bearer {key}"}
        self.client_id = str(uuid.uuid4())
        self.http = httpx.Client(base_url=farm.url, headers=self.headers, trust_env=False)
        self.ws = websocket.WebSocket()
        self.ws.connect(
            f"{farm.url.replace('http', 'ws')}/ws?clientId={self.client_id}&token={key}",
            http_no_proxy=["127.0.0.1"],
        )
        self.ws.settimeout(60)
        self.previews: list[bytes] = []

    def queue_prompt(self, prompt: Graph, **extra: Any) -> Message:
        body = {"prompt": prompt, "client_id": self.client_id, **extra}
        # As the script does: urllib calls it a form.
        request = urllib.request.Request(
            f"{self.url}/prompt", data=json.dumps(body).encode(), headers=self.headers
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request) as answer:
            return dict(json.loads(answer.read()))

    def listen(self, prompt_id: str) -> list[Message]:
        """Everything that is told until the graph is done."""
        heard: list[Message] = []
        while True:
            out = self.ws.recv()
            if isinstance(out, bytes):
                self.previews.append(out)
                continue
            heard.append(json.loads(out))
            data = heard[-1]["data"]
            is_end = heard[-1]["type"] == "executing" and data["node"] is None
            if is_end and data["prompt_id"] == prompt_id:
                return heard

    def history(self, prompt_id: str) -> Message:
        return dict(self.http.get(f"/history/{prompt_id}").json())

    def draw(self, prompt: Graph) -> list[Image.Image]:
        prompt_id = self.queue_prompt(prompt)["prompt_id"]
        self.listen(prompt_id)
        entry = self.history(prompt_id)[prompt_id]
        assert entry["status"]["status_str"] == "success", entry
        files = [self.http.get("/view", params=image) for image in entry["outputs"]["9"]["images"]]
        return [Image.open(io.BytesIO(file.raise_for_status().content)) for file in files]

    def upload(self, image: Image.Image, path: str = "/upload/image") -> str:
        file = io.BytesIO()
        image.save(file, "PNG")
        answer = self.http.post(path, files={"image": ("example.png", file.getvalue())})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["subfolder"], answer.json()["type"]) == ("", "input")
        return str(answer.json()["name"])

    def close(self) -> None:
        self.ws.close()
        self.http.close()


@pytest.fixture(scope="module")
def comfy(door_farm: DoorFarm) -> Iterator[Comfy]:
    opened = Comfy(door_farm, door_farm.key)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def other(door_farm: DoorFarm) -> Iterator[Comfy]:
    opened = Comfy(door_farm, door_farm.other_key)
    yield opened
    opened.close()


def scene(*things: Thing) -> Scene:
    return Scene("white", things, "side by side" if len(things) == 2 else "left")


def test_words_become_pictures_and_the_socket_tells_how_far(comfy: Comfy) -> None:
    prompt_id = comfy.queue_prompt(text_to_image(CIRCLE))["prompt_id"]
    assert str(uuid.UUID(prompt_id)) == prompt_id
    heard = comfy.listen(prompt_id)
    own = [each for each in heard if each["data"].get("prompt_id") == prompt_id]
    kinds = [each["type"] for each in own]
    assert kinds[:2] == ["execution_start", "execution_cached"]
    assert kinds[-3:] == ["executed", "execution_success", "executing"]
    steps = [each["data"] for each in own if each["type"] == "progress"]
    assert (steps[-1]["value"], steps[-1]["max"], steps[-1]["node"]) == (12, 12, "3")
    entry = comfy.history(prompt_id)[prompt_id]
    images = entry["outputs"]["9"]["images"]
    executed = next(each["data"] for each in own if each["type"] == "executed")
    assert (executed["node"], executed["output"]["images"]) == ("9", images)
    assert {image["type"] for image in images} == {"output"}
    pictures = [
        Image.open(io.BytesIO(comfy.http.get("/api/view", params=image).content))
        for image in images
    ]
    wanted = {"shape": "circle", "colour": "red", "background": "white"}
    assert sum(looks_like(picture, **wanted) for picture in pictures) >= 3
    assert prompt_id in comfy.http.get("/api/history").json()
    assert comfy.http.get("/prompt").json() == {"exec_info": {"queue_remaining": 0}}


def test_a_picture_is_drawn_over(comfy: Comfy) -> None:
    name = comfy.upload(paint(scene(LEFT)), "/api/upload/image")
    shown = comfy.http.get("/view", params={"filename": name, "type": "input"})
    assert Image.open(io.BytesIO(shown.content)).size == (128, 128)
    graph = image_to_image("a medium blue circle on a white background", name, 0.7)
    graph["5"]["inputs"]["pixels"] = ["11", 0]
    graph["11"] = {
        "class_type": "ImageScale",
        "inputs": {
            "image": ["10", 0],
            "upscale_method": "nearest-exact",
            "width": 128,
            "height": 128,
            "crop": "disabled",
        },
    }
    graph["9"]["class_type"] = "PreviewImage"
    graph["9"]["inputs"].pop("filename_prefix")
    for seed in range(2):
        graph["3"]["inputs"]["seed"] = seed
        [picture] = comfy.draw(graph)
        wanted = {"shape": "circle", "colour": "blue", "background": "white", "position": "left"}
        if looks_like(picture, **wanted):
            return
    raise AssertionError("neither of two pictures shows it")


def test_what_is_transparent_is_drawn_anew(comfy: Comfy) -> None:
    picture = paint(scene(LEFT, RIGHT)).convert("RGBA")
    picture.putalpha(half_mask(128, 128).point(lambda value: 255 - value))
    name = comfy.upload(picture)
    prompt = "a medium red circle to the left of a medium blue square, white background"
    blue = Thing("square", "blue", "medium", 0.75, 0.5, 0.147)
    graph = inpaint(prompt, name)
    for seed in range(3):
        graph["3"]["inputs"]["seed"] = seed
        [drawn] = comfy.draw(graph)
        if check(drawn, scene(LEFT, blue)).is_all_right:
            return
    raise AssertionError("none of three pictures shows it")


def test_a_lora_gives_its_style(comfy: Comfy) -> None:
    graph = with_lora("a yellow star on a blue background", FRAMED.name)
    graph["5"]["inputs"]["batch_size"] = 2
    assert [FRAMED.is_style(image) for image in comfy.draw(graph)] == [True, True]


def test_a_controlnet_is_followed(comfy: Comfy) -> None:
    [traced] = traced_scenes("validation", 1)
    graph = with_controlnet(traced.text, "shapes-edges", comfy.upload(traced.edges))
    assert sum(overlap(each, traced.scene) > 0.75 for each in comfy.draw(graph)) >= 3


def test_a_node_of_others_is_refused_by_name(comfy: Comfy) -> None:
    graph = text_to_image(CIRCLE)
    graph["8"]["class_type"] = "UltimateSDUpscale"
    answer = comfy.http.post("/prompt", json={"prompt": graph})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["message"] == "Cannot execute because node UltimateSDUpscale does not exist."
    assert set(error) == {"type", "message", "details", "extra_info"}
    assert answer.json()["node_errors"]["8"]["class_type"] == "UltimateSDUpscale"


def test_what_the_model_cannot_do_blames_the_sampler(comfy: Comfy) -> None:
    answer = comfy.http.post("/prompt", json={"prompt": text_to_image(CIRCLE, steps=151)})
    assert answer.status_code == 400
    [problem] = answer.json()["node_errors"]["3"]["errors"]
    assert "must not exceed 150" in problem["details"]


def test_a_clients_own_id_is_one_run_and_finds_it_again(comfy: Comfy) -> None:
    graph, prompt_id = text_to_image(CIRCLE, steps=2, seed=91), str(uuid.uuid4())
    first = comfy.queue_prompt(graph, prompt_id=prompt_id)
    assert first["prompt_id"] == prompt_id
    assert comfy.queue_prompt(graph, prompt_id=prompt_id) == first
    comfy.listen(prompt_id)
    assert set(comfy.history(prompt_id)) == {prompt_id}


def test_an_interrupt_ends_what_runs_and_nothing_of_others(comfy: Comfy, other: Comfy) -> None:
    graph = text_to_image(CIRCLE, steps=150, seed=92)
    graph["5"]["inputs"]["batch_size"] = 8
    waiting = text_to_image(CIRCLE, steps=149, seed=93)
    running_id = comfy.queue_prompt(graph)["prompt_id"]
    waiting_id = comfy.queue_prompt(waiting)["prompt_id"]

    def running() -> list[str]:
        queue = comfy.http.get("/queue").json()
        return [item[1] for item in queue["queue_running"]]

    wait_until(lambda: running_id in running(), what="it runs")
    assert other.http.get("/queue").json() == {"queue_running": [], "queue_pending": []}
    assert other.http.post("/interrupt").status_code == 200
    other.http.post("/queue", json={"clear": True, "delete": [running_id, waiting_id]})
    assert running_id in running()
    comfy.http.post("/queue", json={"delete": [waiting_id]})
    comfy.http.post("/interrupt", json={"prompt_id": waiting_id})
    comfy.http.post("/api/interrupt", json={"prompt_id": running_id})
    heard = comfy.listen(running_id)
    own = [each["type"] for each in heard if each["data"].get("prompt_id") == running_id]
    assert own[-2:] == ["execution_interrupted", "executing"]
    entry = comfy.history(running_id)[running_id]
    assert (entry["status"]["status_str"], entry["outputs"]) == ("error", {})
    assert comfy.previews
    assert Image.open(io.BytesIO(comfy.previews[-1][8:])).format == "JPEG"


def test_two_keys_see_nothing_of_each_other(
    comfy: Comfy, other: Comfy, door_farm: DoorFarm
) -> None:
    eavesdropper = websocket.WebSocket()
    eavesdropper.connect(
        f"{door_farm.url.replace('http', 'ws')}/ws?clientId={comfy.client_id}",
        header={"Authorization": f"Bearer {door_farm.other_key}"},
        http_no_proxy=["127.0.0.1"],
    )
    eavesdropper.settimeout(1)
    name = comfy.upload(paint(scene(LEFT)))
    prompt_id = comfy.queue_prompt(text_to_image(CIRCLE, steps=3, seed=94))["prompt_id"]
    comfy.listen(prompt_id)
    image = comfy.history(prompt_id)[prompt_id]["outputs"]["9"]["images"][0]
    assert comfy.http.get("/view", params=image).status_code == 200
    assert other.http.get("/view", params=image).status_code == 404
    assert other.http.get("/view", params={"filename": name, "type": "input"}).status_code == 404
    assert other.history(prompt_id) == {}
    assert prompt_id not in other.http.get("/history").json()
    stolen = other.http.post("/prompt", json={"prompt": image_to_image(CIRCLE, name, 0.5)})
    assert stolen.status_code == 400
    heard = [json.loads(eavesdropper.recv())]
    with pytest.raises(websocket.WebSocketTimeoutException):
        heard.append(json.loads(eavesdropper.recv()))
    eavesdropper.close()
    assert [each["type"] for each in heard] == ["status"]


@pytest.mark.parametrize("query", ["", "?token=wrong"])
def test_a_socket_needs_a_key(door_farm: DoorFarm, query: str) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(
            f"{door_farm.url.replace('http', 'ws')}/ws{query}", http_no_proxy=["127.0.0.1"]
        )
    assert refused.value.status_code == 401
