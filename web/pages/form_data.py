"""Between the form's text fields and a checked request."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from myriad.errors import InvalidRequest
from myriad.model import Model
from myriad.params import VIDEO_FORMAT, invalid_request
from web.job_request import JobRequest
from web.pages.form_extras import extra_defaults, extra_values, read_extras
from web.pages.form_number import decimal, whole, written
from web.pages.size import OWN_SIZE, read_size

_WHOLE_NUMBERS = ("num_inference_steps", "num_images", "seed")
_CHOICES = ("model", "scheduler", "output_format")


def read_form(form: Mapping[str, str]) -> JobRequest:
    """What the form asks for. Raises InvalidRequest naming the field."""
    asked: dict[str, Any] = {name: form[name] for name in _CHOICES if form.get(name)}
    asked["prompt"] = _text(form, "prompt")
    if not asked["prompt"].strip():
        raise InvalidRequest("must not be empty", field="prompt")
    asked["negative_prompt"] = _text(form, "negative_prompt")
    asked["cache"] = "fresh" not in form
    asked |= _size(form)
    asked |= {name: whole(form, name) for name in _WHOLE_NUMBERS}
    asked["guidance_scale"] = decimal(form, "guidance_scale")
    return check(asked | read_extras(form))


def check(asked: Mapping[str, Any]) -> JobRequest:
    """The request, or InvalidRequest in pydantic's words."""
    try:
        return JobRequest.model_validate(dict(asked))
    except ValidationError as error:
        raise invalid_request(error) from error


def default_values(model: Model) -> dict[str, str]:
    """An empty form for `model`."""
    return {
        "num_images": "1",
        "output_format": "png",
        "size": f"{model.defaults.width}x{model.defaults.height}",
        "num_inference_steps": str(model.defaults.num_inference_steps),
        "guidance_scale": written(model.defaults.guidance_scale),
        "scheduler": model.defaults.scheduler,
    } | extra_defaults(model)


def values_of(params: Mapping[str, Any]) -> dict[str, str]:
    """A form that asks for these very params again."""
    # By their exact types: True is an int, too, and would be "True".
    plain = {name: str(value) for name, value in params.items() if type(value) in (str, int)}
    values = plain | extra_values(params)
    if plain["output_format"] == VIDEO_FORMAT:
        del values["output_format"]
    return values | {
        "size": f"{params['width']}x{params['height']}",
        "guidance_scale": written(params["guidance_scale"]),
    }


def _text(form: Mapping[str, str], name: str) -> str:
    # Browsers send line ends as CR LF; the prompt itself is never changed otherwise.
    return form.get(name, "").replace("\r\n", "\n")


def _size(form: Mapping[str, str]) -> dict[str, int]:
    text = form.get("size", "")
    if text in ("", OWN_SIZE):
        return {}
    size = read_size(text)
    if size is None:
        raise InvalidRequest("must be WIDTHxHEIGHT", field="width")
    return {"width": size.width, "height": size.height}
