"""Spans sent to a collector by OTLP over HTTP; imported only where traces are on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from myriad import __version__
from myriad.errors import Stopped
from myriad.tracing import SpanKind, Value

# A collector that is away must not hold up a process that leaves.
_TIMEOUT_S = 3

_KINDS = {
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CONSUMER: trace.SpanKind.CONSUMER,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
}
_W3C = TraceContextTextMapPropagator()


class OtlpSpan:
    """A span that will be sent."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, context=trace.set_span_in_context(self._span, Context()))
        return carrier.get("traceparent")

    def tell(self, name: str, value: Value) -> None:
        self._span.set_attribute(name, value)

    def fail(self, code: str) -> None:
        self._span.set_status(trace.StatusCode.ERROR)
        self._span.set_attribute("error.type", code)


class OtlpTracer:
    """Sends from a thread of its own; what a full queue or a dead collector loses is lost."""

    is_on = True

    def __init__(self, endpoint: str) -> None:
        resource = Resource.create({"service.name": "myriad", "service.version": __version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_TIMEOUT_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("myriad", __version__)

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind,
        parent: str | None = None,
        attributes: Mapping[str, Value] | None = None,
    ) -> Iterator[OtlpSpan]:
        context = _W3C.extract({"traceparent": parent} if parent else {}, context=Context())
        span = self._tracer.start_span(name, context, _KINDS[kind], attributes)
        told = OtlpSpan(span)
        try:
            yield told
        except Stopped as why:
            told.tell("myriad.stopped", why.code)  # no fault: the job goes on, or was canceled
            raise
        except BaseException as error:
            told.fail(getattr(error, "code", type(error).__name__))
            raise
        finally:
            span.end()

    def close(self) -> None:
        self._provider.shutdown()
