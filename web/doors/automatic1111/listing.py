"""Routes on what there is, and those that have nothing to do here."""

from typing import Any

from flask import Response, jsonify, request

from myriad.errors import InvalidRequest
from myriad.sampler_names import SAMPLERS
from web.auth import current_caller
from web.doors.automatic1111.blueprint import automatic1111
from web.doors.automatic1111.checkpoint import chosen_model
from web.doors.automatic1111.picture import picture_bytes
from web.doors.automatic1111.png_info import read_infotext, text_of
from web.farm import current_farm
from web.request import takes_base64, takes_uploads

_UPSCALER = {"model_name": None, "model_path": None, "model_url": None, "scale": 4}
_FIXED: dict[str, Any] = {
    "sd-vae": [],
    "schedulers": [
        {
            "name": "automatic",
            "label": "Automatic",
            "aliases": None,
            "default_rho": -1,
            "need_inner_model": False,
        }
    ],
    "upscalers": [{"name": "None", **_UPSCALER}],
    "latent-upscale-modes": [],
    "hypernetworks": [],
    "face-restorers": [],
    "realesrgan-models": [],
    "prompt-styles": [],
    "embeddings": {"loaded": {}, "skipped": {}},
    "scripts": {"txt2img": [], "img2img": []},
    "script-info": [],
    "extensions": [],
    "memory": {"ram": {}, "cuda": {}},
    "cmd-flags": {},
}
"""The same for everybody: what this farm has none of, in the form clients expect it."""

_NOTHING_TO_DO = (
    "refresh-checkpoints",
    "refresh-loras",
    "refresh-vae",
    "refresh-embeddings",
    "unload-checkpoint",
    "reload-checkpoint",
)
_REFUSED = ("extra-single-image", "extra-batch-images", "interrogate")


def fixed() -> Response:
    """One of the lists that never change."""
    return jsonify(_FIXED[request.path.rsplit("/", 1)[-1]])


def nothing_to_do() -> Response:
    """Workers load and unload by themselves, and the catalogue is read at start."""
    return jsonify(None)


def refused() -> Response:
    """What this farm does not do at all."""
    raise InvalidRequest(f"this farm has no {request.path.rsplit('/', 1)[-1]}")


for _name in _FIXED:
    automatic1111.add_url_rule(f"/v1/{_name}", _name, fixed)
for _name in _NOTHING_TO_DO:
    automatic1111.add_url_rule(f"/v1/{_name}", _name, nothing_to_do, methods=["POST"])
for _name in _REFUSED:
    automatic1111.add_url_rule(f"/v1/{_name}", _name, takes_uploads(refused), methods=["POST"])


@automatic1111.get("/v1/sd-models")
def models() -> Response:
    """The catalogue's."""
    return jsonify(
        [
            {
                "title": name,
                "model_name": name,
                "hash": None,
                "sha256": None,
                "filename": name,
                "config": None,
            }
            for name in current_farm().catalog
        ]
    )


@automatic1111.get("/v1/samplers")
def samplers() -> Response:
    """All that some model takes."""
    return jsonify(
        [
            {"name": each.a1111, "aliases": list(each.a1111_aliases), "options": {}}
            for each in SAMPLERS
        ]
    )


@automatic1111.get("/v1/loras")
def loras() -> Response:
    """Those that go with the caller's model."""
    found = current_farm().catalog.loras_of(chosen_model(current_caller()))
    return jsonify(
        [
            {"name": name, "alias": lora.title, "path": name, "metadata": {"trigger": lora.trigger}}
            for name, lora in found.items()
        ]
    )


@automatic1111.post("/v1/png-info")
@takes_base64
def png_info() -> Response:
    """What a picture says of its making."""
    body = request.get_json()
    image = body.get("image") if isinstance(body, dict) else None
    data = picture_bytes(image, "image")
    text = text_of(data, current_farm().settings.max_input_pixels)
    return jsonify(
        {
            "info": text,
            "items": {"parameters": text} if text else {},
            "parameters": read_infotext(text),
        }
    )
