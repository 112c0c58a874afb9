"""A stage and a delivery as spans of the trace that their job's request began."""

from contextlib import AbstractContextManager

from myriad.lease import Lease
from myriad.tracing import Span, SpanKind, Tracer


def stage_span(tracer: Tracer, lease: Lease, pool: str) -> AbstractContextManager[Span]:
    """One attempt. The row tells the trace: a hint that carried it may be lost or sent again."""
    return tracer.span(
        lease.stage.value,
        SpanKind.CONSUMER,
        parent=lease.traceparent,
        attributes={
            "myriad.job": lease.job_id,
            "myriad.stage": lease.stage.value,
            "myriad.model": lease.model,
            "myriad.attempt": lease.attempt,
            "myriad.pool": pool,
        },
    )


def webhook_span(
    tracer: Tracer, job_id: str, traceparent: str | None, tries: int
) -> AbstractContextManager[Span]:
    """One try at a delivery; its receiver may go on with the trace."""
    return tracer.span(
        "webhook",
        SpanKind.CLIENT,
        parent=traceparent,
        attributes={"myriad.job": job_id, "myriad.attempt": tries},
    )
