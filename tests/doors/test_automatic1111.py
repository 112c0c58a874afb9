"""AUTOMATIC1111's own Python client over a real farm, and two callers who share nothing."""

import base64
import io
import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import webuiapi
from PIL import Image

from model.check import check, looks_like
from model.draw import draw as paint
from model.scene import Scene, Thing
from model.style import FRAMED
from tests.doors.conftest import DoorFarm
from tests.processes import wait_until
from tests.workers.picture_input import half_mask

pytestmark = pytest.mark.timeout(300)
CIRCLE = "a red circle on a white background"
FAST = {"steps": 12, "seed": 7, "width": 128, "height": 128, "cfg_scale": 3.5}
LEFT = Thing("circle", "red", "medium", 0.25, 0.5, 0.147)


def open_api(farm: DoorFarm, key: str) -> webuiapi.WebUIApi:
    api = webuiapi.WebUIApi(baseurl=f"{farm.url}/sdapi/v1", sampler="DPM++ 2M")
    api.session.trust_env = False
    api.set_auth("anybody", key)
    return api


@pytest.fixture(scope="module")
def api(door_farm: DoorFarm) -> webuiapi.WebUIApi:
    return open_api(door_farm, door_farm.key)


@pytest.fixture(scope="module")
def other(door_farm: DoorFarm) -> webuiapi.WebUIApi:
    return open_api(door_farm, door_farm.other_key)


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def start_long(api: webuiapi.WebUIApi, thread: ThreadPoolExecutor, seed: int) -> Future[Any]:
    """A drawing that is at its steps, and that only an interrupt ends soon."""
    asked = {**FAST, "steps": 150, "batch_size": 8, "seed": seed}
    drawing = thread.submit(api.txt2img, prompt=CIRCLE, **asked)
    wait_until(
        lambda: api.get_progress()["state"]["sampling_step"] > 0 or drawing.done(),
        what="its first step",
    )
    assert not drawing.done(), drawing.result()
    return drawing


def test_words_become_pictures_and_info_says_how(api: webuiapi.WebUIApi) -> None:
    result = api.txt2img(prompt=CIRCLE, batch_size=2, n_iter=2, **FAST)
    assert len(result.images) == 4
    wanted = {"shape": "circle", "colour": "red", "background": "white"}
    assert sum(looks_like(image, **wanted) for image in result.images) >= 3
    assert isinstance(result.json["info"], str)
    info = result.info
    assert (info["seed"], info["all_seeds"]) == (7, [7, 8, 9, 10])
    assert (info["width"], info["height"], info["sampler_name"]) == (128, 128, "DPM++ 2M")
    assert info["myriad"]["reports"] == []
    assert info["infotexts"][2].startswith(
        f"{CIRCLE}\nSteps: 12, Sampler: DPM++ 2M, CFG scale: 3.5"
    )
    assert "Seed: 9, Size: 128x128, Model: myriad-shapes" in info["infotexts"][2]
    read = api.png_info(result.images[2])
    assert read.info == info["infotexts"][2]
    assert read.parameters["Prompt"] == CIRCLE
    assert read.parameters["Seed"] == "9"


def test_what_is_not_done_here_is_reported(api: webuiapi.WebUIApi) -> None:
    asked = {**FAST, "width": 1024, "height": 512, "steps": 4}
    result = api.txt2img(
        prompt=f"{CIRCLE} <lora:nowhere:1>",
        enable_hr=True,
        tiling=True,
        scheduler="karras",
        sampler_name="Euler a",
        **asked,
    )
    assert result.image.size == (176, 88)
    reports = "; ".join(result.info["myriad"]["reports"])
    for word in ("enable_hr", "tiling", "karras", "no LoRA nowhere", "1024x512 became 176x88"):
        assert word in reports
    assert result.info["prompt"] == CIRCLE
    assert result.info["sampler_name"] == "Euler a"


def test_no_seed_is_another_picture_each_time(api: webuiapi.WebUIApi) -> None:
    asked = {**FAST, "seed": -1, "steps": 2}
    first, second = (api.txt2img(prompt=CIRCLE, **asked).info["seed"] for _ in range(2))
    assert first != second


def test_a_picture_is_drawn_over(api: webuiapi.WebUIApi) -> None:
    start = paint(Scene("white", (LEFT,), "left"))
    result = api.img2img(
        images=[start],
        prompt="a medium blue circle on a white background",
        denoising_strength=0.7,
        batch_size=4,
        **FAST,
    )
    wanted = {"shape": "circle", "colour": "blue", "background": "white", "position": "left"}
    assert sum(looks_like(image, **wanted) for image in result.images) >= 3


@pytest.mark.parametrize("is_inverted", [False, True])
def test_a_mask_says_where(api: webuiapi.WebUIApi, is_inverted: bool) -> None:
    right = Thing("square", "green", "medium", 0.75, 0.5, 0.147)
    before = Scene("white", (LEFT, right), "side by side")
    mask = half_mask(128, 128)
    if is_inverted:
        mask = mask.point(lambda value: 255 - value)
    result = api.img2img(
        images=[paint(before)],
        mask_image=mask,
        inpainting_mask_invert=int(is_inverted),
        prompt="a medium red circle to the left of a medium blue square, white background",
        denoising_strength=1.0,
        batch_size=4,
        **FAST,
    )
    blue = Thing("square", "blue", "medium", 0.75, 0.5, 0.147)
    after = Scene("white", (LEFT, blue), "side by side")
    assert sum(check(image, after).is_all_right for image in result.images) >= 3


def test_a_tag_in_the_prompt_adds_a_lora(api: webuiapi.WebUIApi) -> None:
    prompt = f"a yellow star on a blue background <lora:{FRAMED.name}:1>"
    result = api.txt2img(prompt=prompt, batch_size=2, **FAST)
    assert [FRAMED.is_style(image) for image in result.images] == [True, True]


def test_progress_moves_and_an_interrupt_ends_only_ones_own(
    api: webuiapi.WebUIApi, other: webuiapi.WebUIApi, thread: ThreadPoolExecutor
) -> None:
    drawing = start_long(api, thread, seed=41)
    seen = api.get_progress()
    assert 0 < seen["progress"] < 1
    assert (seen["state"]["job_count"], seen["state"]["sampling_steps"]) == (1, 150)
    wait_until(lambda: api.get_progress()["current_image"] is not None, what="a preview")
    preview = base64.b64decode(api.get_progress()["current_image"])
    assert Image.open(io.BytesIO(preview)).size == (128, 128)
    skipped = api.custom_get("progress?skip_current_image=true", baseurl=True)
    assert skipped["current_image"] is None
    theirs = other.get_progress()
    assert (theirs["progress"], theirs["state"]["job_count"]) == (0, 0)
    other.interrupt()
    other.skip()
    assert not drawing.done()
    assert api.get_progress()["state"]["job_count"] == 1
    assert api.interrupt() == {}
    result = drawing.result(timeout=60)
    assert result.images == []
    assert result.info["seed"] == 41
    assert api.get_progress()["state"]["job_count"] == 0


def test_each_caller_has_a_model_of_its_own(
    api: webuiapi.WebUIApi, other: webuiapi.WebUIApi
) -> None:
    try:
        whole = api.get_options()
        assert whole["sd_model_checkpoint"] == "myriad-shapes"
        assert "forge_preset" not in whole
        api.set_options({**whole, "sd_model_checkpoint": "Myriad Mini", "some_future_option": 3})
        assert api.get_options()["sd_model_checkpoint"] == "myriad-mini"
        assert other.get_options()["sd_model_checkpoint"] == "myriad-shapes"
        asked = {"prompt": "a red square on a yellow background", "seed": 1, "steps": 12}
        assert api.txt2img(**asked).image.size == (64, 64)
        override = {"sd_model_checkpoint": "myriad-shapes.safetensors [0123456789]"}
        assert api.txt2img(**asked, override_settings=override).info["sd_model_name"] == (
            "myriad-shapes"
        )
    finally:
        api.set_options({"sd_model_checkpoint": "myriad-shapes"})
    answer = api.session.post(f"{api.baseurl}/options", json={"sd_model_checkpoint": "nothing"})
    assert answer.status_code == 400
    assert answer.json()["errors"] == "model 'nothing' not found"


def test_everything_that_clients_probe_answers(api: webuiapi.WebUIApi) -> None:
    assert [model["title"] for model in api.get_sd_models()] == ["myriad-shapes", "myriad-mini"]
    assert "DPM++ 2M" in [sampler["name"] for sampler in api.get_samplers()]
    assert {lora["name"] for lora in api.get_loras()} >= {"shapes-night", FRAMED.name}
    assert api.get_schedulers()[0]["name"] == "automatic"
    assert api.get_upscalers()[0]["name"] == "None"
    assert api.get_scripts() == {"txt2img": [], "img2img": []}
    assert api.get_embeddings() == {"loaded": {}, "skipped": {}}
    lists = (api.get_sd_vae, api.get_hypernetworks, api.get_prompt_styles, api.get_face_restorers)
    assert [each() for each in (*lists, api.get_latent_upscale_modes)] == [[]] * 5
    assert set(api.get_memory()) == {"ram", "cuda"}
    assert api.get_cmd_flags() == {}
    api.refresh_checkpoints()
    with pytest.raises(RuntimeError, match="this farm has no extra-single-image"):
        api.extra_single_image(Image.new("RGB", (8, 8)))


def test_errors_are_those_of_the_original(api: webuiapi.WebUIApi, door_farm: DoorFarm) -> None:
    with pytest.raises(RuntimeError, match="steps: must not exceed 150"):
        api.txt2img(prompt=CIRCLE, steps=151)
    with pytest.raises(RuntimeError, match="Sampler not found"):
        api.txt2img(prompt=CIRCLE, sampler_name="Restart")
    url = f"{door_farm.url}/sdapi/v1"
    with httpx.Client(auth=("me", door_farm.key), trust_env=False) as client:
        wrong = client.post(f"{url}/txt2img", json={"prompt": 3, "steps": "many"})
        assert wrong.status_code == 422
        assert [each["loc"] for each in wrong.json()["detail"]] == [
            ["body", "prompt"],
            ["body", "steps"],
        ]
        nowhere = client.get(f"{url}/sd-modules")
        assert (nowhere.status_code, nowhere.json()) == (404, {"detail": "Not Found"})
        address = {"init_images": ["http://169.254.169.254/x.png"]}
        refused = client.post(f"{url}/img2img", json=address)
        assert refused.status_code == 400
        assert set(refused.json()) == {"error", "detail", "body", "errors"}
        assert "not fetched" in refused.json()["detail"]
    locked = httpx.get(f"{url}/options", auth=("me", "wrong"), trust_env=False)
    assert locked.status_code == 401
    assert locked.headers["WWW-Authenticate"].startswith("Basic")
    assert locked.json()["error"] == "HTTPException"


def test_nothing_is_kept_of_fields_that_nobody_knows(
    api: webuiapi.WebUIApi, door_farm: DoorFarm
) -> None:
    secret = "user:hunter2-9f3a"
    body = {"url": "http://me", "auth": secret, "prompt": CIRCLE, "steps": 2, "seed": 5}
    answer = api.session.post(f"{api.baseurl}/txt2img", json=body)
    assert answer.status_code == 200
    assert secret not in answer.text
    assert secret not in base64.b64decode(answer.json()["images"][0]).decode("latin-1")
    job = json.loads(answer.json()["info"])["myriad"]["job"]
    headers = {"Authorization": f"Bearer {door_farm.key}"}
    native = httpx.get(f"{door_farm.url}/api/v1/jobs/{job}", headers=headers, trust_env=False)
    assert secret not in native.text
    for path in door_farm.home.glob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
