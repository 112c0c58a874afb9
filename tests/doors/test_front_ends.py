"""What SillyTavern, Open WebUI and LibreChat send, byte for byte where it matters, and read."""

import base64
import io
import json
import time
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.doors.comfyui_graphs import text_to_image
from tests.doors.conftest import DoorFarm

pytestmark = pytest.mark.timeout(300)
CIRCLE = "a red circle on a white background"


def basic(key: str) -> str:
    return f"Basic {base64.b64encode(f'user:{key}'.encode()).decode()}"


def picture(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text, validate=True)))


def test_librechat_reads_info_out_of_a_string(door_farm: DoorFarm) -> None:
    host = door_farm.url.removeprefix("http://")
    body = {
        "prompt": CIRCLE,
        "negative_prompt": "blurry",
        "cfg_scale": 4.5,
        "steps": 22,
        "width": 1024,
        "height": 1024,
    }
    # It knows no key, but keeps what stands before the host in the address it is given.
    url = f"http://any:{door_farm.key}@{host}/sdapi/v1/txt2img"
    answer = httpx.post(url, json=body, trust_env=False, timeout=60).json()
    info = json.loads(answer["info"])
    assert info["infotexts"][0].startswith(CIRCLE)
    assert picture(answer["images"][0]).size == (info["width"], info["height"]) == (128, 128)
    assert isinstance(info["seed"], int)
    assert "1024x1024 became 128x128" in info["myriad"]["reports"][0]


def test_open_webui_sets_the_model_by_sending_all_options_back(door_farm: DoorFarm) -> None:
    headers = {"authorization": basic(door_farm.key)}
    with httpx.Client(base_url=f"{door_farm.url}/sdapi/v1", trust_env=False) as client:
        options = client.get("/options", headers=headers).json()
        models = client.get("/sd-models", headers=headers).json()
        assert options["sd_model_checkpoint"] in [model["title"] for model in models]
        assert client.post("/options", json=options, headers=headers).status_code == 200
        asked = {"prompt": CIRCLE, "batch_size": 1, "width": 512, "height": 512, "steps": 2}
        drawn = client.post("/txt2img", json=asked, headers=headers, timeout=60).json()
    assert picture(drawn["images"][0]).format == "PNG"
    assert isinstance(drawn["info"], str)


def test_sillytavern_posts_its_whole_form_and_waits_until_nothing_goes_on(
    door_farm: DoorFarm,
) -> None:
    headers = {"Authorization": basic(door_farm.key)}
    with httpx.Client(base_url=f"{door_farm.url}/sdapi/v1", headers=headers, trust_env=False) as st:
        assert st.get("/options").status_code == 200
        assert st.post("/options", json={"sd_model_checkpoint": "myriad-shapes"}).is_success
        progress = st.get("/progress").json()
        assert (progress["progress"], progress["state"]["job_count"]) == (0, 0)
        form = {
            "url": door_farm.url,
            "auth": f"user:{door_farm.key}",
            "prompt": CIRCLE,
            "negative_prompt": "",
            "sampler_name": st.get("/samplers").json()[0]["name"],
            "scheduler": st.get("/schedulers").json()[0]["name"],
            "steps": 2,
            "scale": 7,
            "cfg_scale": 7,
            "width": 512,
            "height": 512,
            "restore_faces": False,
            "enable_hr": False,
            "hr_upscaler": "None",
            "hr_scale": 2,
            "denoising_strength": 0.7,
            "hr_second_pass_steps": 0,
            "seed": None,
            "override_settings": {"CLIP_stop_at_last_layers": 1, "sd_vae": "Automatic"},
            "override_settings_restore_afterwards": True,
            "clip_skip": 1,
            "save_images": True,
            "send_images": True,
            "do_not_save_grid": False,
            "do_not_save_samples": False,
        }
        answer = st.post("/txt2img", json=form, timeout=60)
    assert answer.status_code == 200, answer.text
    assert picture(answer.json()["images"][0]).size == (128, 128)
    assert door_farm.key not in answer.text


def test_sillytavern_speaks_comfyui_in_plain_text_and_asks_for_all_history(
    door_farm: DoorFarm,
) -> None:
    headers = {"Authorization": basic(door_farm.key)}
    with httpx.Client(base_url=door_farm.url, headers=headers, trust_env=False) as st:
        assert st.get("/system_stats").is_success
        nodes = st.get("/object_info").json()
        sampler = nodes["KSampler"]["input"]["required"]
        assert "dpmpp_2m" in sampler["sampler_name"][0]
        assert sampler["scheduler"][0][0] == "normal"
        checkpoints = nodes["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0]
        assert checkpoints == ["myriad-shapes", "myriad-mini"]
        assert nodes["VAELoader"]["input"]["required"]["vae_name"][0] == []
        body = json.dumps({"prompt": text_to_image(CIRCLE, steps=2, seed=31)})
        plain = {"Content-Type": "text/plain;charset=UTF-8"}
        prompt_id = st.post("/prompt", content=body, headers=plain).json()["prompt_id"]
        item: Any = None
        while item is None:
            item = st.get("/history").json().get(prompt_id)
            time.sleep(0.1)
        assert item["status"]["status_str"] == "success"
        image = next(iter(item["outputs"].values()))["images"][0]
        assert st.get("/view", params=image).headers["Content-Type"] == "image/png"
