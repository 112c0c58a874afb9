"""What each request leaves behind: its id in every log line, a line, a count, and a span."""

import re
import secrets
from contextlib import AbstractContextManager, ExitStack
from time import perf_counter

import structlog
from flask import Flask, Response, g, request

from myriad.discretion import discreet
from myriad.farm import Farm
from myriad.tracing import Span, SpanKind, Tracer
from web.metrics import Metrics, attach_metrics

REQUEST_ID = "X-Request-Id"
# What a proxy before us may have made of it; anything else could be meant for our logs' readers.
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/=-]{0,63}")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_UNTOLD = frozenset({"health.livez", "health.readyz", "health.metrics", "static"})
_NO_ROUTE = "unmatched"

_log = structlog.get_logger(__name__)


def observe(app: Flask, farm: Farm) -> None:
    """Watch every request of `app`. Call before whatever else looks at requests."""
    metrics = attach_metrics(app, farm)

    @app.before_request
    def begin() -> None:
        g.begun = perf_counter()
        g.request_id = _request_id()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=g.request_id)
        metrics.traffic.under_way.inc()
        g.observed = ExitStack()
        g.observed.callback(metrics.traffic.under_way.dec)
        if request.endpoint not in _UNTOLD:
            g.span = g.observed.enter_context(_span(farm.tracer))
        keep_quiet(token=(request.view_args or {}).get("token"))

    @app.after_request
    def end(response: Response) -> Response:
        # A request that failed before it began is answered too.
        if "begun" in g:
            response.headers[REQUEST_ID] = g.request_id
            _tell(metrics, response.status_code)
        return response

    @app.teardown_request
    def leave(_: BaseException | None) -> None:
        if "observed" in g:
            g.observed.close()
        structlog.contextvars.clear_contextvars()


def keep_quiet(**texts: str | None) -> None:
    """Let no line about this request hold any of the texts."""
    g.observed.enter_context(discreet(texts.values()))


def current_traceparent() -> str | None:
    """The trace that this request is part of; None while nobody traces."""
    span: Span | None = g.get("span")
    return span.traceparent if span else None


def _request_id() -> str:
    given = request.headers.get(REQUEST_ID, "")
    return given if _SANE.fullmatch(given) else secrets.token_hex(16)


def _span(tracer: Tracer) -> AbstractContextManager[Span]:
    return tracer.span(
        f"{request.method} {_route()}",
        SpanKind.SERVER,
        parent=request.headers.get("traceparent"),
        attributes={"http.request.method": request.method, "http.route": _route()},
    )


def _tell(metrics: Metrics, status: int) -> None:
    seconds = perf_counter() - g.begun
    metrics.traffic.count(request.method, _route(), status, seconds)
    if span := g.get("span"):
        span.tell("http.response.status_code", status)
        if status >= 500:
            span.fail(str(status))
    is_quiet = request.endpoint in _UNTOLD or request.method in _SAFE_METHODS
    tell = _log.debug if is_quiet and status < 400 else _log.info
    caller = g.get("caller")
    tell(
        "answered",
        method=request.method,
        route=_route(),
        status=status,
        seconds=round(seconds, 4),
        key=caller.key_id if caller else None,
        door=request.blueprint,
    )


def _route() -> str:
    return request.url_rule.rule if request.url_rule else _NO_ROUTE
