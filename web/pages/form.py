"""The front page: a form that becomes a job."""

from collections.abc import Mapping

from flask import Response, make_response, request
from werkzeug.wrappers import Response as AnyResponse

from myriad.errors import DatabaseUnavailable, InvalidRequest, MyriadError, RateLimited, Unavailable
from web.auth import current_caller
from web.errors import render_error, tell_when
from web.farm import current_farm
from web.intake import accept
from web.jobs import read_job
from web.pages.blueprint import pages
from web.pages.form_data import read_form, values_of
from web.pages.form_extras import compacted
from web.pages.form_page import form_page
from web.pages.form_pictures import keep_pictures
from web.pages.redirect import to_job
from web.request import takes_uploads


@pages.get("/")
def home() -> str:
    """The form: empty, or filled with the params of `?from=JOB`."""
    catalog = current_farm().catalog
    if source := request.args.get("from"):
        record = read_job(source, current_caller())
        model = catalog.get(record.model, catalog.default)
        return form_page(model, values_of(record.params))
    return form_page(catalog.get(request.args.get("model", ""), catalog.default), {})


@pages.post("/")
@takes_uploads
def create() -> AnyResponse:
    """Make the job and go to its page, or show what to mend or wait for."""
    form, caller = request.form.to_dict(), current_caller()
    try:
        keep_pictures(form, request.files, caller)
        intake = accept(read_form(compacted(form)), caller)
    except (InvalidRequest, RateLimited, Unavailable) as error:
        return _shown_again(form, error)
    return to_job(intake.job_id)


@pages.errorhandler(RateLimited)
@pages.errorhandler(Unavailable)
def refuse(error: MyriadError) -> Response:
    """The answer where no view is reached: nobody has to fill the form in again for that."""
    if request.endpoint != "pages.create":
        return render_error(error)
    return _shown_again(request.form.to_dict(), error)


def _shown_again(form: Mapping[str, str], error: MyriadError) -> Response:
    catalog = current_farm().catalog
    model = catalog.get(form.get("model", ""), catalog.default)
    try:
        page = form_page(model, compacted(form), error)
    except DatabaseUnavailable as away:  # with that, nothing more is looked up
        return _shown_again(form, away)
    response = make_response(page, error.status)
    tell_when(response, error)
    return response
