"""Counters that only grow, from what SQL says has ended: whichever process it was in."""

from datetime import timedelta
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Histogram

from myriad import clock
from myriad.db.ended import Ended, ended_between
from myriad.farm import Farm

# A row is stamped before its commit, on a clock of its own: what is younger may still come.
_SETTLED = timedelta(seconds=10)
# After a longer silence nobody draws a line through the gap, and the rows are many.
_LONGEST = timedelta(hours=1)

_STAGE_S = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)
_JOB_S = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 900, 3600)
_WEBHOOK_S = (0.1, 0.3, 1, 3, 10, 60, 600, 3600, 36_000, 270_000)


class Tally:
    """Counts from the process's start on; each scrape adds what has ended since the last.

    So every web process tells of the whole farm, and all of them the same increase.
    """

    def __init__(
        self, farm: Farm, registry: CollectorRegistry, settled: timedelta = _SETTLED
    ) -> None:
        self._farm, self._settled = farm, settled
        self._until = clock.now() - settled
        self._lock = Lock()
        self._accepted = Counter(
            "myriad_jobs_accepted",
            "Jobs taken in, and how the result cache answered.",
            ["door", "model", "cache"],
            registry=registry,
        )
        self._jobs = Counter(
            "myriad_jobs_ended",
            "Jobs that ended.",
            ["state", "error_code", "door"],
            registry=registry,
        )
        self._job_seconds = _seconds(
            "job", "From the request to the pictures.", ["model"], _JOB_S, registry
        )
        self._runs = Counter(
            "myriad_stage_runs",
            "Tries at a stage that ended.",
            ["stage", "model", "pool", "outcome"],
            registry=registry,
        )
        self._stage_seconds = _seconds(
            "stage", "Tries that succeeded.", ["stage", "model", "pool"], _STAGE_S, registry
        )
        self._deliveries = Counter(
            "myriad_webhooks_settled",
            "Deliveries that are over.",
            ["state"],
            registry=registry,
        )
        # An alarm asks for the first of them: of a series that begins with 1 no increase is seen.
        self._deliveries.labels("given_up")
        self._webhook_seconds = _seconds(
            "webhook", "From the event to its delivery.", [], _WEBHOOK_S, registry
        )

    def catch_up(self) -> None:
        """Add what has ended since the last time. Raises Unavailable, having added nothing."""
        with self._lock:
            until = clock.now() - self._settled
            since = max(self._until, until - _LONGEST)
            self._add(ended_between(self._farm.db, since, until, self._models()))
            self._until = until

    def _models(self) -> list[str]:
        return list(self._farm.catalog)

    def _add(self, ended: Ended) -> None:
        for kind in ended.accepted:
            self._accepted.labels(kind.door, kind.model, kind.cache).inc(kind.count)
        for job in ended.jobs:
            self._jobs.labels(job.state, job.error_code, job.door).inc()
            if job.state == "succeeded":
                self._job_seconds.labels(job.model).observe(job.seconds)
        for run in ended.stages:
            self._runs.labels(run.stage, run.model, run.pool, run.outcome).inc()
            if run.outcome == "succeeded":
                self._stage_seconds.labels(run.stage, run.model, run.pool).observe(run.seconds)
        for delivery in ended.deliveries:
            self._deliveries.labels(delivery.state).inc()
            if delivery.state == "delivered":
                self._webhook_seconds.observe(delivery.seconds)


def _seconds(
    what: str, text: str, labels: list[str], buckets: tuple[float, ...], registry: CollectorRegistry
) -> Histogram:
    return Histogram(f"myriad_{what}_seconds", text, labels, buckets=buckets, registry=registry)
