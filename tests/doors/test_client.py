"""Our own client over a real farm: a remote pipeline is the local one, pixel for pixel."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from standardwebhooks import Webhook

from model.check import looks_like
from model.export import NAME
from model.parts import Pipeline, diffusers
from model.train import WEIGHTS
from myriad.client import Client, RemotePipeline
from myriad.errors import InvalidRequest, NotFound
from tests.doors.conftest import DoorFarm
from tests.processes import wait_until
from tests.webhook.peers import receiving

pytestmark = pytest.mark.timeout(300)
CIRCLE = "a red circle on a white background"
SQUARE = "a blue square on a yellow background"
ASKED = {"height": 128, "width": 128, "num_inference_steps": 8, "guidance_scale": 3.0}


@pytest.fixture(scope="module")
def local() -> Pipeline:
    loaded = diffusers.StableDiffusionPipeline.from_pretrained(WEIGHTS / NAME)
    loaded.set_progress_bar_config(disable=True)
    return loaded


@pytest.fixture(scope="module")
def remote(door_farm: DoorFarm) -> Iterator[RemotePipeline]:
    with RemotePipeline(door_farm.url, "myriad-shapes", door_farm.key) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(door_farm: DoorFarm) -> Iterator[Client]:
    with Client(door_farm.url, door_farm.key) as opened:
        yield opened


def seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


def is_same(one: Image.Image, other: Image.Image) -> bool:
    """Within one level of 255: the farm batches, and lays its convolutions out otherwise."""
    levels = [np.asarray(image.convert("RGB"), dtype=int) for image in (one, other)]
    return levels[0].shape == levels[1].shape and int(abs(levels[0] - levels[1]).max()) <= 1


def test_text_to_image(local: Pipeline, remote: RemotePipeline) -> None:
    here = local(CIRCLE, negative_prompt="blue", generator=seeded(7)[0], **ASKED)
    there = remote.to("cuda")(CIRCLE, negative_prompt="blue", generator=seeded(7)[0], **ASKED)
    assert is_same(here.images[0], there.images[0])
    assert looks_like(there.images[0], shape="circle", colour="red", background="white")
    assert there.nsfw_content_detected == [False]


def test_several_pictures_of_several_prompts(local: Pipeline, remote: RemotePipeline) -> None:
    prompts, count = [CIRCLE, SQUARE], {"num_images_per_prompt": 2}
    here = local(prompts, generator=seeded(3, 9, 4, 1), **count, **ASKED).images
    there = remote(prompts, generator=seeded(3, 9, 4, 1), **count, **ASKED).images
    assert len(there) == 4
    assert all(map(is_same, here, there))
    assert not is_same(there[0], there[1])
    following = remote(CIRCLE, generator=seeded(3)[0], **count, **ASKED).images
    assert is_same(following[0], here[0])
    assert is_same(following[1], local(CIRCLE, generator=seeded(4)[0], **ASKED).images[0])


def test_image_to_image_and_inpainting(local: Pipeline, remote: RemotePipeline) -> None:
    start, mask = Image.new("RGB", (128, 128), "white"), Image.new("L", (128, 128))
    mask.paste(255, (32, 32, 96, 96))
    asked = {"num_inference_steps": 10, "guidance_scale": 3.0, "strength": 0.8}
    changing = diffusers.StableDiffusionImg2ImgPipeline.from_pipe(local)
    filling = diffusers.StableDiffusionInpaintPipeline.from_pipe(local)
    for pipe, pictures in (
        (changing, {"image": start}),
        (filling, {"image": start, "mask_image": mask}),
    ):
        pipe.set_progress_bar_config(disable=True)
        here = pipe(SQUARE, generator=seeded(7)[0], **pictures, **asked)
        there = remote(SQUARE, generator=7, **pictures, **asked)
        assert is_same(here.images[0], there.images[0])


def test_controlnets(local: Pipeline, door_farm: DoorFarm) -> None:
    edges = Image.new("RGB", (128, 128))
    edges.paste("white", (40, 40, 88, 44))
    controlnet = diffusers.ControlNetModel.from_pretrained(WEIGHTS / "shapes-edges")
    guided = diffusers.StableDiffusionControlNetPipeline.from_pipe(local, controlnet=controlnet)
    guided.set_progress_bar_config(disable=True)
    asked = {"image": edges, "controlnet_conditioning_scale": 0.7, **ASKED}
    here = guided(SQUARE, generator=seeded(7)[0], **asked)
    with RemotePipeline(
        door_farm.url, "myriad-shapes", door_farm.key, controlnets=["shapes-edges"]
    ) as remote:
        there = remote(SQUARE, generator=seeded(7), **asked)
    assert is_same(here.images[0], there.images[0])


def test_without_a_generator_every_picture_is_new(remote: RemotePipeline) -> None:
    images, flagged = remote(
        CIRCLE, num_images_per_prompt=2, num_inference_steps=4, return_dict=False
    )
    images += remote(CIRCLE, num_inference_steps=4).images
    assert len({image.tobytes() for image in images}) == 3
    assert flagged == [False, False]


def test_what_cannot_be_done_is_refused(remote: RemotePipeline) -> None:
    for given, field in (
        ({"generator": [1, 2]}, "generator"),
        ({"generator": "7"}, "generator"),
        ({"negative_prompt": ["a", "b"]}, "negative_prompt"),
        ({"output_type": "latent"}, "output_type"),
        ({"callback_on_step_end": 1}, "callback_on_step_end"),
        ({"height": 7}, "height"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            remote(CIRCLE, **given)
        assert caught.value.field == field


def test_progress_moves_and_an_interrupt_cancels(remote: RemotePipeline, client: Client) -> None:
    seen: list[float] = []

    def interrupt(job: dict[str, Any]) -> None:
        seen.append(job["progress"])
        if 0 < job["progress"] < 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remote("interrupted", num_inference_steps=150, on_progress=interrupt)
    assert seen == sorted(seen)
    (job,) = (each for each in client.jobs() if each["input"]["prompt"] == "interrupted")
    assert client.wait(job["id"])["status"] == "canceled"


def test_a_batch_draws_its_grid_and_tells_once(client: Client, door_farm: DoorFarm) -> None:
    with receiving() as receiver:
        asked = client.batch(
            template={"prompt": CIRCLE, "num_inference_steps": 10},
            grid={"seed": [1, 2, 3], "guidance_scale": [3, 5]},
            webhook=receiver.url,
            metadata={"for": "一批"},
        )
        batch = client.wait_batch(asked["id"])
        wait_until(lambda: receiver.received, what="the webhook")
    (told,) = receiver.received
    secret = (door_farm.home / "webhook-secret").read_text().strip()
    event = Webhook(secret).verify(told.body, told.headers)
    assert event == json.loads(told.body)
    assert (event["type"], event["data"]) == ("batch.completed", batch)
    assert (batch["status"], batch["counts"]["succeeded"]) == ("completed", 6)
    results = [client.result(job) for job in client.jobs(batch=batch["id"])]
    for result in results:
        assert looks_like(result.images[0], shape="circle", colour="red", background="white")
    assert len({result.files for result in results}) == 6


def test_a_batch_is_canceled_and_its_caller_s_own(client: Client, door_farm: DoorFarm) -> None:
    slow = {"prompt": "a slow batch", "num_inference_steps": 150, "cache": False}
    batch_id = client.batch(template=slow, grid={"seed": list(range(12))})["id"]
    with Client(door_farm.url, door_farm.other_key) as other:
        for look in (other.get_batch, other.cancel_batch):
            with pytest.raises(NotFound):
                look(batch_id)
        assert list(other.jobs(batch=batch_id)) == []
        assert batch_id not in [batch["id"] for batch in other.batches()]
    batch = client.cancel_batch(batch_id)
    assert (batch["status"], batch["progress"]) == ("canceled", 1)
    assert sum(batch["counts"].values()) == 12
