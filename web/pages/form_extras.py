"""The part of the form beyond prompt and size: pictures to start from, additions, videos.

Controls are named flatly, as HTML has it: `image_id`, `control0_model`, `lora_NAME`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from myriad.model import Model
from myriad.params import MAX_CONTROLNETS
from web.pages.form_number import decimal, whole, written

_CONTROL_PARTS = ("model", "image_id", "scale")


def read_extras(form: Mapping[str, str]) -> dict[str, Any]:
    """What these controls ask for, as fields of a request. Raises InvalidRequest."""
    asked: dict[str, Any] = {
        "controlnets": [_control(form, place) for place in range(len(used_controls(form)))],
        "loras": [_lora(form, name, place) for place, name in enumerate(_chosen_loras(form))],
        "refiner": _refiner(form),
        "reproducible": "reproducible" in form,
        "image": form.get("image_id") or None,
        "mask": form.get("mask_id") or None,
    }
    if asked["image"]:
        asked["strength"] = decimal(form, "strength")
    num_frames = whole(form, "num_frames")
    if num_frames and num_frames > 1:
        # A file of the chosen picture format cannot hold a video.
        asked |= {"num_frames": num_frames, "fps": whole(form, "fps"), "output_format": None}
    elif num_frames:
        asked["num_frames"] = num_frames
    return asked


def compacted(form: Mapping[str, str]) -> dict[str, str]:
    """The form with its ControlNets moved up, so that the first ones are the used ones."""
    used = used_controls(form)
    rest = {name: text for name, text in form.items() if not name.startswith("control")}
    return rest | {
        control(place, part): form[control(old, part)]
        for place, old in enumerate(used)
        for part in _CONTROL_PARTS
        if form.get(control(old, part))
    }


def used_controls(form: Mapping[str, str]) -> list[int]:
    """Places of the ControlNets that are filled in."""
    return [place for place in range(MAX_CONTROLNETS) if form.get(control(place, "model"))]


def control(place: int, part: str) -> str:
    """The name of the form's control for a part of that ControlNet."""
    return f"control{place}_{part}"


def extra_values(params: Mapping[str, Any]) -> dict[str, str]:
    """Filled-in controls that ask for these params again."""
    values = {"image_id": params.get("image"), "mask_id": params.get("mask")}
    for place, use in enumerate(params.get("controlnets") or ()):
        values[control(place, "model")] = use["model"]
        values[control(place, "image_id")] = use["image"]
        values[control(place, "scale")] = written(use["scale"])
    for use in params.get("loras") or ():
        values[f"lora_{use['name']}"] = "on"
        values[f"lora_scale_{use['name']}"] = written(use["scale"])
    if refiner := params.get("refiner"):
        values |= {
            "refiner": refiner["model"],
            "denoising_start": written(refiner["denoising_start"]),
        }
    if params.get("strength") is not None:
        values["strength"] = written(params["strength"])
    if params.get("reproducible"):
        values["reproducible"] = "on"
    return {name: text for name, text in values.items() if text is not None}


def extra_defaults(model: Model) -> dict[str, str]:
    """These controls of an empty form for `model`."""
    return {
        "num_frames": str(model.defaults.num_frames),
        "fps": str(model.defaults.fps),
        "denoising_start": "0.8",
    }


def _control(form: Mapping[str, str], place: int) -> dict[str, Any]:
    scale = decimal(form, control(place, "scale"), f"controlnets.{place}.scale")
    use = {
        "model": form[control(place, "model")],
        "image": form.get(control(place, "image_id")) or None,
    }
    return use if scale is None else {**use, "scale": scale}


def _chosen_loras(form: Mapping[str, str]) -> Iterable[str]:
    names = (name.removeprefix("lora_") for name in form if name.startswith("lora_"))
    return [name for name in names if not name.startswith("scale_")]


def _lora(form: Mapping[str, str], name: str, place: int) -> dict[str, Any]:
    scale = decimal(form, f"lora_scale_{name}", f"loras.{place}.scale")
    return {"name": name} if scale is None else {"name": name, "scale": scale}


def _refiner(form: Mapping[str, str]) -> dict[str, Any] | None:
    if not form.get("refiner"):
        return None
    start = decimal(form, "denoising_start", "refiner.denoising_start")
    return {"model": form["refiner"]} | ({} if start is None else {"denoising_start": start})
