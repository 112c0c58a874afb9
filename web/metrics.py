"""Prometheus figures, read from SQL at every scrape: true for all web processes together."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from myriad.db.figures import job_counts, pending_deliveries, stage_figures
from myriad.db.workers import live_workers
from myriad.farm import Farm
from myriad.job import JobState

CONTENT_TYPE = CONTENT_TYPE_LATEST


def render_metrics(farm: Farm) -> bytes:
    """The text exposition of every figure. Raises Unavailable while the database is away."""
    registry = CollectorRegistry()
    registry.register(_FarmCollector(farm))
    return generate_latest(registry)


class _FarmCollector(Collector):
    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    def describe(self) -> Iterator[Metric]:
        """Nothing: a registry that asks must not cause a query."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        yield from _jobs(self._farm)
        yield from _queues(self._farm)
        yield from _workers(self._farm)
        yield from _webhooks(self._farm)


def _jobs(farm: Farm) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("myriad_jobs", "Jobs by state.", labels=["state"])
    counts = job_counts(farm.db)
    for state in JobState:
        jobs.add_metric([state.value], counts.get(state.value, 0))
    yield jobs


def _queues(farm: Farm) -> Iterator[Metric]:
    labels = ["stage", "model"]
    waiting = GaugeMetricFamily("myriad_stage_waiting", "Jobs no worker holds.", labels=labels)
    held = GaugeMetricFamily("myriad_stage_held", "Jobs a worker holds.", labels=labels)
    oldest = GaugeMetricFamily("myriad_stage_oldest_seconds", "Age of the oldest.", labels=labels)
    work = GaugeMetricFamily(
        "myriad_stage_work_seconds", "Work that waits, by measured cost.", labels=labels
    )
    for figure in stage_figures(farm.db):
        key = [figure.stage.value, figure.model]
        waiting.add_metric(key, figure.waiting)
        held.add_metric(key, figure.held)
        oldest.add_metric(key, figure.oldest_s)
        work.add_metric(key, figure.seconds_of_work)
    yield from (waiting, held, oldest, work)


def _workers(farm: Farm) -> Iterator[Metric]:
    labels = ["pool", "device", "worker"]
    slots = GaugeMetricFamily("myriad_worker_slots", "Slots of live workers.", labels=labels)
    for worker in live_workers(farm.db, within_s=farm.settings.lease_s):
        slots.add_metric([worker.pool, worker.device, worker.name], worker.slots)
    yield slots


def _webhooks(farm: Farm) -> Iterator[Metric]:
    count, oldest_s = pending_deliveries(farm.db)
    yield GaugeMetricFamily("myriad_webhooks_pending", "Deliveries still owed.", count)
    yield GaugeMetricFamily("myriad_webhooks_oldest_seconds", "Age of the oldest.", oldest_s)
