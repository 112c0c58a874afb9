"""Between the form's text fields and a checked request."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from myriad.catalog import Model
from myriad.errors import InvalidRequest
from myriad.params import invalid_request
from web.job_request import JobRequest
from web.pages.size import read_size

_WHOLE = re.compile(r"\d{1,16}", re.ASCII)
_DECIMAL = re.compile(r"\d{1,6}(\.\d{1,6})?", re.ASCII)
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
    asked |= {name: _whole(form, name) for name in _WHOLE_NUMBERS}
    asked["guidance_scale"] = _decimal(form, "guidance_scale")
    return check(asked)


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
        "guidance_scale": f"{model.defaults.guidance_scale:g}",
        "scheduler": model.defaults.scheduler,
    }


def values_of(params: Mapping[str, Any]) -> dict[str, str]:
    """A form that asks for these very params again."""
    values = {name: str(value) for name, value in params.items()}
    return values | {
        "size": f"{params['width']}x{params['height']}",
        "guidance_scale": f"{params['guidance_scale']:g}",
    }


def _text(form: Mapping[str, str], name: str) -> str:
    # Browsers send line ends as CR LF; the prompt itself is never changed otherwise.
    return form.get(name, "").replace("\r\n", "\n")


def _number(form: Mapping[str, str], name: str, shape: re.Pattern[str]) -> str | None:
    # Full-width digits are what a Chinese keyboard types.
    text = unicodedata.normalize("NFKC", form.get(name, "")).strip()
    if text and not shape.fullmatch(text):
        raise InvalidRequest("must be a number", field=name)
    return text or None


def _whole(form: Mapping[str, str], name: str) -> int | None:
    text = _number(form, name, _WHOLE)
    return int(text) if text else None


def _decimal(form: Mapping[str, str], name: str) -> float | None:
    text = _number(form, name, _DECIMAL)
    return float(text) if text else None


def _size(form: Mapping[str, str]) -> dict[str, int]:
    text = form.get("size", "")
    if not text:
        return {}
    size = read_size(text)
    if size is None:
        raise InvalidRequest("must be WIDTHxHEIGHT", field="width")
    return {"width": size.width, "height": size.height}
