"""What the farm is at this moment, read at every scrape: the same from every web process."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from redis.exceptions import RedisError

from myriad.db.figures import job_counts, pending_deliveries, stage_figures
from myriad.farm import Farm
from myriad.job import JobState
from web.metrics.limits import breakers, refusals, usage
from web.metrics.worker import workers

Source = Callable[[Farm], Iterable[Metric]]
"""Makes figures from what all processes share. Raises Unavailable."""


def jobs(farm: Farm) -> Iterator[Metric]:
    """Rows by state, those of past days included until they are deleted."""
    family = GaugeMetricFamily("myriad_jobs", "Jobs by state.", labels=["state"])
    counts = job_counts(farm.db)
    for state in JobState:
        family.add_metric([state.value], counts.get(state.value, 0))
    yield family


def stages(farm: Farm) -> Iterator[Metric]:
    """What waits and what is held, by stage and model."""
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


def hints(farm: Farm) -> Iterator[Metric]:
    """What lies in the broker: few per queue, whatever waits, or the broker is in trouble."""
    queues = [(pool, stage) for pool in farm.pools for stage in pool.stages]
    depth = GaugeMetricFamily(
        "myriad_queue_hints", "Hints in a pool's queue.", labels=["pool", "stage"]
    )
    try:
        with farm.redis.pipeline(transaction=False) as pipeline:
            for pool, stage in queues:
                pipeline.llen(pool.queue(stage))
            lengths = pipeline.execute()
    except RedisError:
        lengths = None
    for (pool, stage), length in zip(queues, lengths or (), strict=False):
        depth.add_metric([pool.name, stage.value], length)
    yield GaugeMetricFamily("myriad_redis_up", "Whether Redis answered.", lengths is not None)
    yield depth


def webhooks(farm: Farm) -> Iterator[Metric]:
    """What is owed to receivers."""
    figure = pending_deliveries(farm.db)
    for name, text, value in (
        ("pending", "Deliveries still owed.", figure.pending),
        ("retrying", "Those of them that failed before.", figure.retrying),
        ("oldest_seconds", "Age of the oldest still owed.", figure.oldest_s),
        ("overdue_seconds", "How late the next try is.", figure.overdue_s),
    ):
        yield GaugeMetricFamily(f"myriad_webhooks_{name}", text, value)


SOURCES: tuple[Source, ...] = (
    jobs,
    stages,
    hints,
    workers,
    webhooks,
    refusals,
    usage,
    breakers,
)
"""All of them. Whoever has another figure of the whole farm adds a function here."""
