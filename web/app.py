"""Puts the front end together."""

from typing import Any

from apiflask import APIFlask
from flask.json.provider import DefaultJSONProvider
from flask_wtf.csrf import CSRFProtect
from werkzeug.routing import BaseConverter

from myriad import __version__
from myriad.farm import Farm, open_farm
from myriad.settings import Settings, load_settings
from tasks.app import create_celery
from tasks.dispatch import Dispatcher
from tasks.nudge import Nudge
from web.api import native
from web.api.file_bodies import tell_of_files
from web.api.response_model import ErrorBody
from web.doors import DOORS
from web.errors import register_errors
from web.farm import attach_farm
from web.files import files
from web.health import health
from web.jobs import JOB_ID
from web.limits import attach_limits
from web.locale import speak
from web.observe import observe
from web.pages import pages
from web.request import UPLOAD_LIMIT, StrictRequest
from web.security import secure

_DESCRIPTION = "Turns prompts into pictures. A job is asked for, looked at, and canceled."


class JobIdConverter(BaseConverter):
    """Only what can be a job's id leads to a job's route."""

    regex = JOB_ID.pattern


class ReadableJson(DefaultJSONProvider):
    """Chinese as it is, fields in the order the documentation has them."""

    ensure_ascii = False
    sort_keys = False


class FrontEnd(APIFlask):
    """An APIFlask that reads bodies strictly and writes them readably."""

    request_class = StrictRequest
    json_provider_class = ReadableJson


def create_app(settings: Settings | None = None) -> FrontEnd:
    """The WSGI app of one farm. Raises ConfigError; connects to nothing yet."""
    settings = settings or load_settings()
    app = FrontEnd(__name__, title="Myriad", version=__version__, docs_path=None, json_errors=False)
    app.url_map.converters["job"] = JobIdConverter
    farm = open_farm(settings)
    _configure(app, farm)
    attach_farm(app, farm, Nudge(Dispatcher(farm, create_celery(settings))))
    attach_limits(app, farm)
    observe(app, farm)
    app.spec_processor(tell_of_files)
    register_errors(app)
    secure(app, farm)
    speak(app)
    guard = CSRFProtect(app)
    for door in (native, health, files, pages, *DOORS):
        app.register_blueprint(door)
    for door in (native, *DOORS):
        guard.exempt(door)  # an API looks at no cookie, so there is none to abuse
    return app


def _configure(app: FrontEnd, farm: Farm) -> None:
    app.description = _DESCRIPTION
    app.security_schemes = {"ApiKey": {"type": "http", "scheme": "bearer"}}
    error = _openapi_error()
    app.config.update(
        SECRET_KEY=farm.secret,
        MAX_CONTENT_LENGTH=farm.settings.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=farm.settings.max_body_bytes,
        **{UPLOAD_LIMIT: max(farm.settings.max_upload_bytes, farm.settings.max_body_bytes)},
        VALIDATION_ERROR_STATUS_CODE=400,
        VALIDATION_ERROR_SCHEMA=error,
        HTTP_ERROR_SCHEMA=error,
        AUTO_SERVERS=False,
        SERVERS=[{"url": farm.settings.public_url or "/"}],
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,  # it wants the Referer, which our own policy withholds
        SESSION_COOKIE_NAME="myriad",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=farm.settings.public_url.startswith("https://"),
    )


def _openapi_error() -> dict[str, Any]:
    schema = ErrorBody.model_json_schema()
    problem = schema.pop("$defs")["Problem"]
    schema["properties"]["error"] = problem
    return schema
