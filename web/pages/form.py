"""The front page: a form that becomes a job."""

from collections.abc import Mapping

from flask import render_template, request
from werkzeug.wrappers import Response

from myriad.catalog import Model
from myriad.db.jobs import list_jobs
from myriad.errors import InvalidRequest
from myriad.job import JobState
from myriad.params import MAX_PROMPT_CHARS, MAX_SEED, PICTURE_FORMATS
from myriad.record import JobRecord
from myriad.scheduler import SCHEDULERS
from web.auth import current_caller
from web.farm import current_farm
from web.intake import accept
from web.jobs import read_job
from web.links import thumbnail_url
from web.pages.blueprint import pages
from web.pages.form_data import default_values, read_form, values_of
from web.pages.redirect import to_job
from web.pages.size import offered_sizes, read_size
from web.word import field_text

_RECENT = 8


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
def create() -> Response | tuple[str, int]:
    """Make the job and go to its page, or show what to mend."""
    try:
        intake = accept(read_form(request.form), current_caller())
    except InvalidRequest as error:
        catalog = current_farm().catalog
        model = catalog.get(request.form.get("model", ""), catalog.default)
        return _form(model, request.form.to_dict(), error), 400
    return to_job(intake.job_id)


def _form(model: Model, values: Mapping[str, str], error: InvalidRequest | None = None) -> str:
    farm = current_farm()
    filled = default_values(model) | {name: text for name, text in values.items() if text}
    sizes = offered_sizes(model)
    chosen = read_size(filled["size"]) or sizes[0]
    return render_template(
        "form.html",
        models=farm.catalog,
        model=model,
        values=filled,
        sizes=sizes if chosen in sizes else [chosen, *sizes],
        chosen=chosen,
        schedulers=SCHEDULERS,
        formats=PICTURE_FORMATS,
        max_prompt_chars=MAX_PROMPT_CHARS,
        max_seed=MAX_SEED,
        bad_field=error.field if error else None,
        bad_text=field_text(error, model) if error else None,
        recent=_recent(),
        thumbnail_url=thumbnail_url,
    )


def _recent() -> tuple[JobRecord, ...]:
    scope = current_caller().scope
    return list_jobs(current_farm().db, scope=scope, state=JobState.SUCCEEDED, limit=_RECENT).jobs
