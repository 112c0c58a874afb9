"""One valid body for each route that reads one: what mutations start from."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.doors.comfyui_graphs import text_to_image
from tests.web.bombs import picture


@dataclass(frozen=True)
class Part:
    """One part of a multipart body; a file if it has a file name."""

    name: bytes | None
    data: bytes
    filename: bytes | None = None


@dataclass(frozen=True)
class Known:
    """What exists on the farm under attack: else nearly all would end at `no such job`."""

    job: str = "0" * 32
    input: str = "0" * 64
    token: str = "x"


@dataclass(frozen=True)
class Sample:
    """A body, by its kind: JSON, the parts of a form, or fields of an encoded form."""

    json: Any = None
    parts: tuple[Part, ...] = ()
    form: Mapping[str, str] | None = None


PNG = picture()
MASK = picture(width=48)
BARE = base64.b64encode(PNG).decode()
URI = f"data:image/png;base64,{BARE}"

_JOB = {
    "prompt": "a circle",
    "negative_prompt": "blur",
    "model": "tiny",
    "width": 64,
    "height": 64,
    "num_inference_steps": 4,
    "guidance_scale": 5.0,
    "seed": 7,
    "num_images": 1,
    "scheduler": "EulerDiscreteScheduler",
    "output_format": "png",
    "image": URI,
    "strength": 0.5,
    "mask": URI,
    "controlnets": [{"model": "edges", "image": URI, "scale": 1.0}],
    "loras": [{"name": "ink", "scale": 0.5}],
    "reproducible": False,
    "cache": False,
    "webhook": "https://example.com/hook",
    "webhook_events_filter": ["completed"],
    "deadline_s": 3600,
    "priority": 0,
    "metadata": {"a": "b"},
}
_BATCH = {
    "template": {"prompt": "a {colour} circle", "model": "tiny"},
    "grid": {"seed": [1, 2], "guidance_scale": [3.0, 5.0]},
    "webhook": "https://example.com/hook",
    "metadata": {"a": "b"},
}
_INPUT = {
    "prompt": "a circle",
    "negative_prompt": "blur",
    "width": 64,
    "height": 64,
    "num_outputs": 1,
    "num_inference_steps": 4,
    "guidance_scale": 5,
    "seed": 7,
    "scheduler": "K_EULER",
    "output_format": "png",
    "image": URI,
    "prompt_strength": 0.5,
    "mask": URI,
    "loras": [{"name": "ink", "scale": 0.5}],
    "controlnets": [{"model": "edges", "image": URI}],
    "go_fast": True,
}
_PREDICTION = {
    "input": _INPUT,
    "webhook": "https://example.com/hook",
    "webhook_events_filter": ["completed", "logs"],
}
_TXT2IMG = {
    "prompt": "a circle <lora:ink:0.5>",
    "negative_prompt": "blur",
    "seed": 7,
    "steps": 4,
    "cfg_scale": 5.0,
    "width": 64,
    "height": 64,
    "batch_size": 1,
    "n_iter": 1,
    "sampler_name": "Euler a",
    "scheduler": "automatic",
    "override_settings": {"sd_model_checkpoint": "tiny"},
    "send_images": True,
    "styles": [],
    "alwayson_scripts": {},
}
_IMG2IMG = {
    **_TXT2IMG,
    "init_images": [BARE],
    "mask": URI,
    "denoising_strength": 0.5,
    "inpainting_mask_invert": 1,
    "mask_blur": 4,
}
_OPENAI = {
    "prompt": "a circle",
    "model": "tiny",
    "n": 1,
    "size": "64x64",
    "response_format": "b64_json",
    "output_format": "png",
    "quality": "low",
    "stream": False,
    "partial_images": 0,
    "seed": 7,
    "negative_prompt": "blur",
    "num_inference_steps": 4,
    "guidance_scale": 5.0,
    "scheduler": "EulerDiscreteScheduler",
    "loras": [{"name": "ink", "scale": 0.5}],
}
_VIDEO = {"prompt": "a wave", "model": "film", "seconds": "1", "size": "64x64", "seed": 7}
_HF = {
    "inputs": BARE,
    "parameters": {
        "prompt": "a circle",
        "negative_prompt": ["blur"],
        "target_size": {"width": 64, "height": 64},
        "num_inference_steps": 4,
        "guidance_scale": 5.0,
        "strength": 0.5,
        "seed": 7,
        "loras": [{"name": "ink", "scale": 0.5}],
    },
}
_FORM = {
    "prompt": "a circle",
    "negative_prompt": "blur",
    "model": "tiny",
    "size": "64x64",
    "num_inference_steps": "4",
    "guidance_scale": "5",
    "seed": "7",
    "num_images": "1",
    "scheduler": "EulerDiscreteScheduler",
    "output_format": "png",
    "strength": "0.5",
    "lora_ink": "on",
    "lora_scale_ink": "0.5",
    "control0_scale": "1",
    "num_frames": "1",
    "denoising_start": "0.8",
}


def _graph() -> dict[str, Any]:
    graph = text_to_image("a circle")
    graph["4"]["inputs"]["ckpt_name"] = "tiny"
    return {"prompt": graph, "client_id": "me", "extra_data": {}}


def _texts(fields: Mapping[str, Any]) -> tuple[Part, ...]:
    return tuple(Part(name.encode(), str(value).encode()) for name, value in fields.items())


def _file(name: bytes, data: bytes = PNG) -> Part:
    return Part(name, data, b"a.png")


_EDIT = {**_OPENAI, "stream": "false", "loras": '[{"name": "ink"}]', "strength": "0.5"}
_EMPTY = Sample(json={})
_PNG_INFO = Sample(json={"image": URI})

_SAMPLES: Mapping[str, Sample] = {
    "POST /api/v1/jobs": Sample(json=_JOB),
    "POST /api/v1/batches": Sample(json=_BATCH),
    "POST /api/v1/inputs": Sample(parts=(_file(b"file"),)),
    "POST /hf/models/<path:name>": Sample(json=_HF),
    "POST /prompt": Sample(json=_graph()),
    "POST /queue": Sample(json={"clear": False, "delete": ["a"]}),
    "POST /interrupt": Sample(json={"prompt_id": "a"}),
    "POST /upload/image": Sample(parts=(_file(b"image"), Part(b"overwrite", b"true"))),
    "POST /sdapi/v1/txt2img": Sample(json=_TXT2IMG),
    "POST /sdapi/v1/img2img": Sample(json=_IMG2IMG),
    "POST /sdapi/v1/png-info": _PNG_INFO,
    "POST /sdapi/v1/options": Sample(json={"sd_model_checkpoint": "tiny"}),
    "POST /sdapi/v1/interrogate": Sample(json={"image": URI, "model": "clip"}),
    "POST /v1/images/generations": Sample(json=_OPENAI),
    "POST /v1/images/edits": Sample(parts=(*_texts(_EDIT), _file(b"image"))),
    "POST /v1/predictions": Sample(json={**_PREDICTION, "version": "myriad/tiny"}),
    "PUT /v1/predictions/<client_id>": Sample(json=_PREDICTION),
    "PUT /predictions/<client_id>": Sample(json=_PREDICTION),
    "POST /v1/models/<owner>/<name>/predictions": Sample(json=_PREDICTION),
    "POST /v1/files": Sample(parts=(_file(b"content"), Part(b"metadata", b"{}"))),
    "POST /v1/videos": Sample(json=_VIDEO),
    "POST /v1/videos/<video_id>/remix": Sample(json={"prompt": "another"}),
    "POST /": Sample(parts=(*_texts(_FORM), _file(b"image"), _file(b"mask", MASK))),
    "POST /login": Sample(form={"key": "k", "csrf_token": "t"}),
}


def sample_of(method: str, rule: str) -> Sample:
    """The rule's own; an empty object where nothing is known of it."""
    name = f"{method} {rule}"
    return _SAMPLES.get(name) or _SAMPLES.get(name.replace("/api/", "/", 1)) or _EMPTY


def has_sample(method: str, rule: str) -> bool:
    """Whether a body of its own is known for the rule."""
    return sample_of(method, rule) is not _EMPTY


def path_values(known: Known) -> Mapping[str, str]:
    """What leads to something, by the name of a rule's variable."""
    return {
        "job_id": known.job,
        "batch_id": known.job,
        "prediction_id": known.job,
        "prompt_id": known.job,
        "video_id": known.job,
        "client_id": "mine",
        "file_id": known.input,
        "token": known.token,
        "name": "tiny",
        "owner": "myriad",
        "version": "tiny",
        "filename": "app.css",
        "rest": "v1/nothing",
    }
