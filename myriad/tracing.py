"""Traces: which process did what for one request, as OpenTelemetry spans. Off unless wanted."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Protocol

from myriad.errors import ConfigError
from myriad.settings import Settings

Value = str | int | float | bool


class SpanKind(StrEnum):
    """Which side of a call the span is."""

    SERVER = "server"
    CONSUMER = "consumer"
    CLIENT = "client"


class Span(Protocol):
    """A piece of work under way."""

    @property
    def traceparent(self) -> str | None:
        """The W3C header that makes other work a part of this; None while nobody traces."""
        ...

    def tell(self, name: str, value: Value) -> None:
        """Add what has become known."""
        ...

    def fail(self, code: str) -> None:
        """Say that it went wrong, and how, in a word."""
        ...


class Tracer(Protocol):
    """Makes spans. What an exception says stays here: it may hold what a caller wrote."""

    @property
    def is_on(self) -> bool: ...

    def span(
        self,
        name: str,
        kind: SpanKind,
        parent: str | None = None,
        attributes: Mapping[str, Value] | None = None,
    ) -> AbstractContextManager[Span]:
        """The block as a span, beneath the one that `parent` (a traceparent) names."""
        ...

    def close(self) -> None:
        """Send what is still here, within seconds."""
        ...


class NullSpan:
    """Nobody looks."""

    traceparent: str | None = None

    def tell(self, name: str, value: Value) -> None:
        pass

    def fail(self, code: str) -> None:
        pass


class NullTracer:
    """Makes no spans."""

    is_on = False

    def span(
        self,
        name: str,
        kind: SpanKind,
        parent: str | None = None,
        attributes: Mapping[str, Value] | None = None,
    ) -> AbstractContextManager[Span]:
        return nullcontext(_NOBODY)

    def close(self) -> None:
        pass


_NOBODY = NullSpan()


def open_tracer(settings: Settings) -> Tracer:
    """One that sends to `otlp_endpoint`, if that is set. ConfigError: its packages are not here."""
    if not settings.otlp_endpoint:
        return NullTracer()
    try:
        from myriad.otlp import OtlpTracer
    except ImportError as error:
        raise ConfigError(
            "MYRIAD_OTLP_ENDPOINT needs packages:"
            " `pip install -c constraints.txt -e '.[telemetry]'`, in the folder of Myriad"
        ) from error
    return OtlpTracer(settings.otlp_endpoint)
