"""The form as a page: empty, filled, or shown again with what there is against it."""

from collections.abc import Mapping
from typing import Any

from flask import render_template

from myriad.db.jobs import list_jobs
from myriad.errors import DatabaseUnavailable, InvalidRequest, MyriadError
from myriad.job import JobState
from myriad.model import Model
from myriad.params import MAX_FPS, MAX_PROMPT_CHARS, MAX_SEED, PICTURE_FORMATS
from myriad.record import JobRecord
from web.auth import current_caller
from web.farm import current_farm
from web.links import input_url, thumbnail_url
from web.pages.form_data import default_values
from web.pages.form_extras import used_controls
from web.pages.form_pictures import kept_inputs
from web.pages.size import OWN_SIZE, offered_sizes, read_size
from web.word import error_text, field_text

_RECENT = 8
_CONTROLS = 2


def form_page(model: Model, values: Mapping[str, str], error: MyriadError | None = None) -> str:
    """The form for `model` with these values, and what `error` says in its place.

    Raises DatabaseUnavailable, unless that is the error: then pictures are kept unseen.
    """
    farm = current_farm()
    filled = default_values(model) | {name: text for name, text in values.items() if text}
    sizes = offered_sizes(model)
    is_own = filled["size"] == OWN_SIZE
    chosen = None if is_own else read_size(filled["size"]) or sizes[0]
    is_away = isinstance(error, DatabaseUnavailable)
    return render_template(
        "form.html",
        models=farm.catalog,
        model=model,
        values=filled,
        sizes=[chosen, *sizes] if chosen and chosen not in sizes else sizes,
        chosen=chosen,
        modes=model.modes,
        own_size=OWN_SIZE,
        loras=farm.catalog.loras_of(model),
        controlnets=farm.catalog.controlnets_of(model),
        controls=range(max(_CONTROLS, len(used_controls(values)))),
        refiners=farm.catalog.refiners_of(model),
        has_loras=any(f"lora_{name}" in filled for name in farm.catalog.loras_of(model)),
        inputs=None if is_away else kept_inputs(filled, current_caller()),
        input_url=input_url,
        max_fps=MAX_FPS,
        formats=PICTURE_FORMATS,
        max_prompt_chars=MAX_PROMPT_CHARS,
        max_seed=MAX_SEED,
        recent=() if is_away else _recent(),
        thumbnail_url=thumbnail_url,
        **_said(error, model),
    )


def _said(error: MyriadError | None, model: Model) -> dict[str, Any]:
    """What to mend at which field, or why the farm does not take the form now."""
    if error is None:
        return {}
    if isinstance(error, InvalidRequest):
        most = current_farm().settings.max_input_pixels
        return {"bad_field": error.field, "bad_text": field_text(error, model, most)}
    return {"refusal": error_text(error.status, error.code)}


def _recent() -> tuple[JobRecord, ...]:
    scope = current_caller().sees
    return list_jobs(current_farm().db, scope=scope, state=JobState.SUCCEEDED, limit=_RECENT).jobs
