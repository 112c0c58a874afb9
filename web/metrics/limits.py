"""What limits refused, what callers have used today, and which breakers are not closed."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from redis.exceptions import RedisError

from myriad import clock
from myriad.db.trouble import find_trouble
from myriad.db.usage import usage_of_day
from myriad.endpoint_breaker import EndpointBreakers
from myriad.farm import Farm
from web.meter import refusal_counts

_MOST_HOSTS = 20
"""Strangers choose the names: a series for each of them would be theirs to multiply."""


def refusals(farm: Farm) -> Iterator[Metric]:
    """Answers that a limit refused; counted in Redis by all web processes."""
    family = CounterMetricFamily("myriad_refused", "Refused by a limit.", labels=["code"])
    try:
        counts = refusal_counts(farm.redis)
    except RedisError:
        counts = {}
    for code, count in counts.items():
        family.add_metric([code], count)
    yield family


def usage(farm: Farm) -> Iterator[Metric]:
    """What each API key asked for today (UTC); `key` is its id, empty on a farm without keys."""
    jobs = GaugeMetricFamily("myriad_usage_jobs", "Jobs asked for today.", labels=["key"])
    cost = GaugeMetricFamily(
        "myriad_usage_megapixel_steps", "Megapixel-steps asked for today.", labels=["key"]
    )
    for each in usage_of_day(farm.db):
        jobs.add_metric([each.scope], each.jobs)
        cost.add_metric([each.scope], each.cost)
    yield from (jobs, cost)


def breakers(farm: Farm) -> Iterator[Metric]:
    """Pools and webhook receivers that are left alone (`open`) or tried (`half_open`)."""
    now = clock.now()
    pools = GaugeMetricFamily(
        "myriad_pool_breaker",
        "Failures in a row of a pool that gets no hints.",
        labels=["pool", "stage", "model", "state"],
    )
    for trouble in find_trouble(farm.db):
        labels = [trouble.pool, trouble.stage, trouble.model, trouble.state(now).value]
        pools.add_metric(labels, trouble.failures)
    hosts = GaugeMetricFamily(
        "myriad_webhook_breaker",
        "Failures in a row of a receiver that is left alone.",
        labels=["host", "state"],
    )
    found = EndpointBreakers(farm.redis).found()
    for breaker in list(found.values())[-_MOST_HOSTS:]:
        hosts.add_metric([breaker.name, breaker.state(now).value], breaker.failures)
    yield pools
    yield GaugeMetricFamily("myriad_webhook_breakers", "Receivers left alone.", len(found))
    yield hosts
