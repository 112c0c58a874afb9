"""All figures in Prometheus' text format."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from flask import Flask, current_app
from prometheus_client import (
    CollectorRegistry,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from myriad import __version__
from myriad.farm import Farm
from web.metrics.sources import SOURCES
from web.metrics.tally import Tally
from web.metrics.traffic import Traffic

CONTENT_TYPE = CONTENT_TYPE_LATEST
_METRICS = "myriad.metrics"

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, of no use


class Metrics:
    """One web process's own counts, and what it can tell of the farm."""

    def __init__(self, farm: Farm, settled: timedelta | None = None) -> None:
        self._farm = farm
        self._own = CollectorRegistry()
        ProcessCollector(registry=self._own)
        self.traffic = Traffic(self._own, farm.settings.web_threads)
        more = {} if settled is None else {"settled": settled}
        self._tally = Tally(farm, self._own, **more)

    def render(self) -> bytes:
        """The text exposition. Raises Unavailable while the database is away."""
        self._tally.catch_up()
        shared = CollectorRegistry()
        shared.register(_Gathered(self._gather()))
        return generate_latest(shared) + generate_latest(self._own)

    def _gather(self) -> list[Metric]:
        build = InfoMetricFamily("myriad_build", "The release.", {"version": __version__})
        return [build, *(metric for source in SOURCES for metric in source(self._farm))]


def attach_metrics(app: Flask, farm: Farm) -> Metrics:
    """Make the figures of `app` reachable from its requests."""
    metrics: Metrics = app.extensions.setdefault(_METRICS, Metrics(farm))
    return metrics


def current_metrics() -> Metrics:
    """The figures of this process."""
    metrics: Metrics = current_app.extensions[_METRICS]
    return metrics


class _Gathered(Collector):
    """What was read before: no error leaves a half-written answer."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def describe(self) -> Iterator[Metric]:
        """Nothing: a registry that asks needs no names."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics
