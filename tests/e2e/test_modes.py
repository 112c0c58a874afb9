"""Every way of asking, over HTTP, judged by what the pictures show."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from model.check import check, looks_like
from model.draw import draw as paint
from model.measure import overlap, traced_scenes
from model.scene import Scene, Thing
from model.style import FRAMED
from myriad.client import Client
from tests.e2e.conftest import LiveFarm
from tests.e2e.drawing import Job, digests, draw, draw_from_form, pictures
from tests.workers.picture_input import half_mask, png

pytestmark = pytest.mark.timeout(300)
FAST = {"num_inference_steps": 12, "num_images": 4, "seed": 7}
# Of four pictures: the model itself is now and then wrong.
MOST = 3
LEFT = Thing("circle", "red", "medium", 0.25, 0.5, 0.147)
RIGHT = Thing("square", "green", "medium", 0.75, 0.5, 0.147)


def scene(*things: Thing) -> Scene:
    return Scene("white", things, "side by side" if len(things) == 2 else "left")


def as_png(image: Image.Image) -> bytes:
    return png(image)[1]


def test_a_picture_is_drawn_over(client: Client) -> None:
    data = base64.b64encode(as_png(paint(scene(LEFT)))).decode()
    prompt = "a medium blue circle on a white background"
    image = f"data:image/png;base64,{data}"
    job = draw(client, prompt, image=image, strength=0.7, **FAST)
    shown = pictures(client, job)
    wanted = {"shape": "circle", "colour": "blue", "background": "white", "position": "left"}
    assert sum(looks_like(each, **wanted) for each in shown) >= MOST


def test_one_half_is_drawn_anew(client: Client, live_farm: LiveFarm) -> None:
    prompt = "a medium red circle to the left of a medium blue square, white background"
    before, after = scene(LEFT, RIGHT), scene(LEFT, replace(RIGHT, colour="blue"))
    job = draw_from_form(
        live_farm,
        client,
        {"prompt": prompt, **FAST},
        image=as_png(paint(before)),
        mask=as_png(half_mask(128, 128)),
    )
    shown = pictures(client, job)
    assert sum(check(each, after).is_all_right for each in shown) >= MOST


def test_a_lora_gives_its_style_to_whoever_asks_for_it(client: Client) -> None:
    prompt = "a yellow star on a blue background"
    jobs = [client.submit(prompt, loras=loras, **FAST) for loras in ([{"name": FRAMED.name}], None)]
    framed, plain = (pictures(client, client.wait(job["id"], timeout_s=120)) for job in jobs)
    assert [FRAMED.is_style(each) for each in framed] == [True] * 4
    assert [FRAMED.is_style(each) for each in plain] == [False] * 4


def test_a_controlnet_follows_an_upload(client: Client) -> None:
    [traced] = traced_scenes("validation", 1)
    edges = client.upload(as_png(traced.edges))["id"]
    net = {"model": "shapes-edges", "image": edges}
    job = draw(client, traced.text, controlnets=[net], **FAST)
    assert job["input"]["controlnets"] == [{**net, "scale": 1.0}]
    assert sum(overlap(each, traced.scene) > 0.75 for each in pictures(client, job)) >= MOST


def test_both_models_are_held_and_take_turns(client: Client) -> None:
    asked: Job = {**FAST, "cache": False}
    for model, side in (("myriad-mini", 64), ("myriad-shapes", 128), ("myriad-mini", 64)):
        job = draw(client, "a red square on a yellow background", model=model, **asked)
        shown = pictures(client, job)
        assert {each.size for each in shown} == {(side, side)}
        wanted = {"shape": "square", "colour": "red", "background": "yellow"}
        assert sum(looks_like(each, **wanted) for each in shown) >= MOST
    held: dict[str, Any] = {model["name"]: model["resident"] for model in client.models()}
    for name in ("myriad-shapes", "myriad-mini"):
        assert [(place["pool"], place["tier"]) for place in held[name]] == [("all", "device")]
        assert held[name][0]["size_bytes"] > 0


def test_a_long_prompt_is_read_to_its_end(client: Client) -> None:
    filler = ", ".join(["masterpiece, best quality, sharp focus"] * 14)
    wanted = {"shape": "circle", "colour": "red", "background": "white"}
    drawn = []
    for end in ("simple", "poster"):
        prompt = f"a large red circle on a white background, {filler}, {end}"
        job = draw(client, prompt, **FAST)
        drawn.append(digests(job))
        assert sum(looks_like(each, **wanted) for each in pictures(client, job)) >= MOST
    assert drawn[0] != drawn[1]


def test_a_prompt_beyond_all_windows_is_refused_in_words(client: Client) -> None:
    job = draw(client, "a red circle " * 300)
    assert job["status"] == "failed"
    assert job["error"]["code"] == "prompt_too_long"
