"""The front page: a form that becomes a job."""

from collections.abc import Mapping

from flask import render_template, request
from werkzeug.wrappers import Response

from myriad.db.jobs import list_jobs
from myriad.errors import InvalidRequest
from myriad.job import JobState
from myriad.model import Model
from myriad.params import MAX_FPS, MAX_PROMPT_CHARS, MAX_SEED, PICTURE_FORMATS
from myriad.record import JobRecord
from web.auth import current_caller
from web.farm import current_farm
from web.intake import accept
from web.jobs import read_job
from web.links import input_url, thumbnail_url
from web.pages.blueprint import pages
from web.pages.form_data import default_values, read_form, values_of
from web.pages.form_extras import compacted, used_controls
from web.pages.form_pictures import keep_pictures, kept_inputs
from web.pages.redirect import to_job
from web.pages.size import OWN_SIZE, offered_sizes, read_size
from web.request import takes_uploads
from web.word import field_text

_RECENT = 8
_CONTROLS = 2


@pages.get("/")
def home() -> str:
    """The form: empty, or filled with the params of `?from=JOB`."""
    catalog = current_farm().catalog
    if source := request.args.get("from"):
        record = read_job(source, current_caller())
        model = catalog.get(record.model, catalog.default)
        return _form(model, values_of(record.params))
    return _form(catalog.get(request.args.get("model", ""), catalog.default), {})


@pages.post("/")
@takes_uploads
def create() -> Response | tuple[str, int]:
    """Make the job and go to its page, or show what to mend."""
    form, caller = request.form.to_dict(), current_caller()
    try:
        keep_pictures(form, request.files, caller)
        intake = accept(read_form(compacted(form)), caller)
    except InvalidRequest as error:
        catalog = current_farm().catalog
        model = catalog.get(form.get("model", ""), catalog.default)
        return _form(model, compacted(form), error), 400
    return to_job(intake.job_id)


def _form(model: Model, values: Mapping[str, str], error: InvalidRequest | None = None) -> str:
    farm = current_farm()
    filled = default_values(model) | {name: text for name, text in values.items() if text}
    sizes = offered_sizes(model)
    is_own = filled["size"] == OWN_SIZE
    chosen = None if is_own else read_size(filled["size"]) or sizes[0]
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
        inputs=kept_inputs(filled, current_caller()),
        input_url=input_url,
        max_fps=MAX_FPS,
        formats=PICTURE_FORMATS,
        max_prompt_chars=MAX_PROMPT_CHARS,
        max_seed=MAX_SEED,
        bad_field=error.field if error else None,
        bad_text=field_text(error, model, farm.settings.max_input_pixels) if error else None,
        recent=_recent(),
        thumbnail_url=thumbnail_url,
    )


def _recent() -> tuple[JobRecord, ...]:
    scope = current_caller().sees
    return list_jobs(current_farm().db, scope=scope, state=JobState.SUCCEEDED, limit=_RECENT).jobs
