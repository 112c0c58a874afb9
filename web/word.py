"""The farm's states and errors in words for people; codes stay English, words are translated."""

import re
from http import HTTPStatus

from myriad.catalog import Model
from myriad.errors import ContentRefused, MyriadError
from myriad.job import JobState, Stage
from myriad.params import MAX_FPS, MAX_PROMPT_CHARS
from myriad.record import JobRecord
from web.locale import gettext as _
from web.locale import ngettext

_INDEX = re.compile(r"\.\d+")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")


def status_line(record: JobRecord) -> str:
    """How the job stands, in one short sentence."""
    if record.state is JobState.QUEUED:
        return _queue_line(record.queue_position or 0)
    if record.state is JobState.RUNNING:
        return _stage_line(record.stage)
    return {
        JobState.SUCCEEDED: _("Done"),
        JobState.FAILED: _("Failed"),
        JobState.CANCELED: _("Canceled"),
    }[record.state]


def failure_text(code: str | None) -> str:
    """Why a job failed, and what may help."""
    known = {
        "out_of_memory": _("There was not enough memory. Try a smaller size or fewer pictures."),
        "non_finite_output": _(
            "The model produced no usable picture. Try again or change the guidance."
        ),
        "model_not_loadable": _(
            "The model cannot be loaded. Please tell the operator of this farm."
        ),
        "prompt_too_long": _("The prompt is too long for this model."),
        "deadline_exceeded": _("It was not finished by its deadline."),
        "input_missing": _("A picture it needs is no longer stored. Please hand it in again."),
        "worker_lost": _("The worker stopped several times. Please try again."),
    }
    return known.get(code or "", _("Something went wrong while drawing. Please try again."))


def error_text(status: int, code: str = "") -> str:
    """What an error page says."""
    limits = {
        "overloaded": _("The farm has too much to do. Please try again in a moment."),
        "too_many_jobs": _("You have as many pictures waiting as you may have."),
        "quota_exceeded": _("You have asked for as much as you may today."),
    }
    if code in limits:
        return limits[code]
    known = {
        400: _("This request could not be understood. Go back and try again."),
        403: _("You may not see this, or the link is too old."),
        404: _("There is nothing here."),
        413: _("That was too much at once."),
        429: _("The farm has too much to do. Please try again in a moment."),
        503: _("A part of the farm is away. Please try again in a moment."),
    }
    return known.get(status, _("Something went wrong. Please try again."))


def field_text(error: MyriadError, model: Model, max_pixels: int) -> str:
    """What to mend in a field of the form; pictures handed in have at most `max_pixels`."""
    if isinstance(error, ContentRefused):
        return _("This farm does not draw that. Please ask for something else.")
    limits, field = model.limits, _INDEX.sub("", error.field or "")
    picture = _(
        "Choose a still PNG, JPEG or WebP picture of at most %(most)s megapixels.",
        most=f"{max_pixels / 1e6:.0f}",
    )
    known = {
        "prompt": _("Write 1 to %(most)s characters.", most=MAX_PROMPT_CHARS),
        "negative_prompt": _("Write at most %(most)s characters.", most=MAX_PROMPT_CHARS),
        "width": _("Choose one of the sizes offered."),
        "height": _("Choose one of the sizes offered."),
        "num_inference_steps": _("Choose 1 to %(most)s steps.", most=limits.max_steps),
        "num_images": _("Choose 1 to %(most)s pictures.", most=limits.max_images),
        "guidance_scale": _("Choose a number from 0 to 50."),
        "seed": _("Write a whole number, or leave it empty."),
        "image": picture,
        "mask": _("Choose a picture and a mask for it, both still PNG, JPEG or WebP."),
        "controlnets.image": picture,
        "strength": _("Choose a number up to 1 that leaves at least one step."),
        "controlnets.scale": _("Choose a number from 0 to 2."),
        "loras.scale": _("Choose a number from -4 to 4."),
        "refiner.denoising_start": _("Choose a number that leaves each side a step."),
        "num_frames": _(
            "Choose 1 and a multiple of %(step)s, up to %(most)s.",
            step=limits.frame_multiple,
            most=limits.max_frames,
        ),
        "fps": _("Choose 1 to %(most)s frames per second.", most=MAX_FPS),
    }
    return known.get(field, _("Choose one from the list."))


def is_beyond(model: Model, prompt: str) -> bool:
    """Whether the prompt is Chinese and the model does not read Chinese."""
    return "zh" not in model.languages and _HAN.search(prompt) is not None


def status_title(status: int) -> str:
    """The name of an HTTP status, as everybody knows it."""
    return f"{status} {HTTPStatus(status).phrase}"


def _queue_line(ahead: int) -> str:
    if ahead == 0:
        return _("In the queue: yours is next")
    return ngettext(
        "In the queue: %(num)s job goes first", "In the queue: %(num)s jobs go first", ahead
    )


def _stage_line(stage: Stage) -> str:
    return {
        Stage.ENCODE: _("Reading the prompt"),
        Stage.DENOISE: _("Drawing"),
        Stage.DECODE: _("Developing the picture"),
    }[stage]
