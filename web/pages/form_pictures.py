"""Pictures chosen in the form: kept at once, so that it can be shown again with them."""

from collections.abc import Mapping

from werkzeug.datastructures import FileStorage

from myriad.errors import InvalidRequest
from myriad.params import MAX_CONTROLNETS
from myriad.record import InputRecord
from web.auth import Caller
from web.inputs import Inputs
from web.pages.form_extras import control, used_controls


def keep_pictures(form: dict[str, str], files: Mapping[str, FileStorage], caller: Caller) -> None:
    """Put the ids of chosen files into `form`, and take out those no longer wanted.

    Raises InvalidRequest on the first bad one, with the good ones before it kept.
    """
    _drop(form)
    for name, field in _fields(form).items():
        # Browsers send an empty part for a file input that was left alone.
        if name not in files or not files[name].filename:
            continue
        if field.startswith("controlnets") and not form.get(name.replace("image", "model")):
            raise InvalidRequest("must be chosen", field=field.replace("image", "model"))
        inputs = Inputs(caller)
        form[f"{name}_id"] = inputs.take(files[name].read(), field, is_mask=name == "mask")
        inputs.keep()


def kept_inputs(form: Mapping[str, str], caller: Caller) -> Mapping[str, InputRecord]:
    """The pictures that `form` names, as far as they are the caller's."""
    named = {text for name, text in form.items() if name.endswith("_id")}
    return Inputs(caller).find(named)


def _drop(form: dict[str, str]) -> None:
    if "drop_image" in form:
        form["drop_mask"] = "on"  # it belongs to that picture
    for name in ("image", "mask"):
        if form.pop(f"drop_{name}", None):
            form.pop(f"{name}_id", None)


def _fields(form: Mapping[str, str]) -> dict[str, str]:
    """What an error about each file control names: ControlNets count without the empty ones."""
    used = used_controls(form)
    places = {
        control(place, "image"): len([other for other in used if other < place])
        for place in range(MAX_CONTROLNETS)
    }
    return {"image": "image", "mask": "mask"} | {
        name: f"controlnets.{place}.image" for name, place in places.items()
    }
