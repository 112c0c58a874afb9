"""From AUTOMATIC1111's fields to a request of ours, and what of it was left undone."""

import re
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from myriad.catalog import Catalog
from myriad.errors import InvalidRequest, NotFound
from myriad.model import Model
from myriad.params import MAX_PROMPT_CHARS, invalid_request
from myriad.resolve import new_seed
from myriad.sampler_names import find_a1111, scheduler_for
from web.doors.automatic1111.lora_tags import read_tags
from web.doors.automatic1111.picture import mask_bytes, picture_bytes
from web.doors.automatic1111.request_model import Img2Img, Txt2Img
from web.doors.size import fitting_size
from web.doors.waiting import Uploads
from web.job_request import JobRequest

_SPACINGS = re.compile(r"\s+(karras|exponential|polyexponential|sgm uniform)$", re.IGNORECASE)
_NAME_CHARS = 64
_LARGEST_SIDE = 16_384
_PROMPT_CHARS = 2 * MAX_PROMPT_CHARS  # with its tags
_OWN_SPACING = ("", "automatic", "uniform", "simple", "use same scheduler")


@dataclass
class Order:
    """A request of ours in the making. `reports` say what AUTOMATIC1111 would have done more."""

    values: dict[str, Any]
    parts: Uploads = field(default_factory=dict)
    reports: list[str] = field(default_factory=list)

    @property
    def asked(self) -> JobRequest:
        """The checked request. Raises InvalidRequest."""
        try:
            return JobRequest(**self.values)
        except ValidationError as error:
            raise invalid_request(error) from error


def translate(asked: Txt2Img, model: Model, catalog: Catalog, max_pixels: int) -> Order:
    """What `asked` is for `model`. Raises InvalidRequest, and NotFound for unknown samplers.

    `max_pixels` are those of a mask, which is looked into here.
    """
    order = Order({"model": model.name, "output_format": "png"})
    order.reports += [f"{name} is not supported and was ignored" for name in asked.ignored]
    order.values |= {
        "negative_prompt": asked.negative_prompt or None,
        "num_inference_steps": asked.steps,
        "guidance_scale": asked.cfg_scale,
        "num_images": asked.batch_size * asked.n_iter,
        # Any negative seed is a new picture each time, never one from the cache.
        "seed": asked.seed if asked.seed >= 0 else new_seed(),
    }
    _add_prompt(order, asked, model, catalog)
    _add_size(order, asked, model)
    _add_sampler(order, asked, model)
    if isinstance(asked, Img2Img):
        _add_pictures(order, asked, max_pixels)
    return order


def _add_prompt(order: Order, asked: Txt2Img, model: Model, catalog: Catalog) -> None:
    if len(asked.prompt) > _PROMPT_CHARS:
        raise InvalidRequest(f"must not exceed {MAX_PROMPT_CHARS} characters", field="prompt")
    tagged = read_tags(asked.prompt)
    known = {name.lower(): name for name in catalog.loras_of(model)}
    uses = {}
    for name, scale in tagged.loras.items():
        if name.lower() in known:
            uses[known[name.lower()]] = scale
        else:
            order.reports.append(f"there is no LoRA {name} for model {model.name}")
    order.reports += [f"{tag} is not supported and was ignored" for tag in tagged.others]
    order.values["prompt"] = tagged.prompt
    order.values["loras"] = [{"name": name, "scale": scale} for name, scale in uses.items()]


def _add_size(order: Order, asked: Txt2Img, model: Model) -> None:
    if not asked.width and not asked.height:
        return  # the model's own, or that of the picture to start from
    wanted = (asked.width or model.defaults.width, asked.height or model.defaults.height)
    for name, side in zip(("width", "height"), wanted, strict=True):
        if not 1 <= side <= _LARGEST_SIDE:
            raise InvalidRequest(f"must be from 1 to {_LARGEST_SIDE}", field=name)
    size = fitting_size(*wanted, model)
    order.values["width"], order.values["height"] = size
    if size != wanted:
        order.reports.append(
            f"size {wanted[0]}x{wanted[1]} became {size[0]}x{size[1]},"
            f" which model {model.name} can make"
        )


def _add_sampler(order: Order, asked: Txt2Img, model: Model) -> None:
    name = (asked.sampler_name or asked.sampler_index or "")[:_NAME_CHARS]
    spacing = asked.scheduler[:_NAME_CHARS].strip()
    if name:
        # Until version 1.9 the spacing was part of the name.
        if suffix := _SPACINGS.search(name):
            name, spacing = name[: suffix.start()], suffix[1]
        _add_scheduler(order, name, model)
    if spacing.lower() not in _OWN_SPACING:
        order.reports.append(f"scheduler {spacing} is not supported: the model's own was used")


def _add_scheduler(order: Order, name: str, model: Model) -> None:
    sampler = find_a1111(name)
    if sampler is None:
        raise NotFound("Sampler not found")
    order.values["scheduler"] = scheduler_for(sampler, model.facts.schedulers)
    if order.values["scheduler"] is None:
        order.reports.append(f"sampler {sampler.a1111} does not go with model {model.name}")


def _add_pictures(order: Order, asked: Img2Img, max_pixels: int) -> None:
    if not asked.init_images:
        raise NotFound("Init image not found")
    order.values["strength"] = asked.denoising_strength
    parts: Uploads = {"image": (picture_bytes(asked.init_images[0], "init_images"),)}
    if len(asked.init_images) > 1:
        order.reports.append("only the first of init_images was used")
    if asked.mask:
        data = picture_bytes(asked.mask, "mask")
        inverted = bool(asked.inpainting_mask_invert)
        parts["mask"] = (mask_bytes(data, max_pixels, is_inverted=inverted),)
    order.parts = parts
