"""A farm in which each figure of /metrics has a value that was made on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from myriad.db.cancel import cancel_job
from myriad.db.commit import hand_back
from myriad.db.deliveries import settle_delivery, take_deliveries
from myriad.db.urgent import PREEMPTED
from myriad.db.workers import report_worker
from myriad.farm import Farm
from myriad.job import Stage
from myriad.measured import Batching, Measured, Memory
from myriad.resident import Resident, Tier
from myriad.settings import Settings
from myriad.webhook import Receipt
from tests.web.conftest import farm_of
from tests.web.drawing import WORKER, fail_job, finish_job, take
from web import create_app
from web.app import FrontEnd
from web.farm import close_farm
from web.metrics import Metrics

MEASURED = Measured(
    batching={"UNet2DConditionModel": Batching(passes={1: 2, 3: 4, 100: 1}, requests=9)},
    rungs={"tile by tile": 2},
    memory=Memory(process_bytes=5, allocated_bytes=6, reserved_bytes=7, total_bytes=8),
    checkpoints=3,
)
RESIDENTS = [
    Resident("tiny", Tier.DEVICE, 10),
    Resident("tiny", Tier.DEVICE, 20),
    Resident("large", Tier.HOST, 40),
]
WEBHOOK = "https://example.com/hook"


@dataclass(frozen=True)
class Site:
    """A front end, and what it tells once all that happened is settled."""

    app: FrontEnd
    farm: Farm
    metrics: Metrics

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def figures(self) -> "Figures":
        return Figures(self.metrics.render().decode())


class Figures:
    """What an exposition says."""

    def __init__(self, text: str) -> None:
        self._families = list(text_string_to_metric_families(text))

    @property
    def names(self) -> set[str]:
        """Of all families, with samples or without; counters with `_total`."""
        return {
            f"{family.name}_total" if family.type == "counter" else family.name
            for family in self._families
        }

    @property
    def labels(self) -> dict[str, set[str]]:
        """Names of labels by name of sample."""
        return {sample.name: set(sample.labels) for sample in self._samples()}

    @property
    def label_values(self) -> set[str]:
        return {value for sample in self._samples() for value in sample.labels.values()}

    def get(self, name: str, **labels: str) -> float:
        """The sum over all samples of that name which have these labels."""
        return sum(
            sample.value
            for sample in self._samples()
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def __contains__(self, name: str) -> bool:
        return any(sample.name == name for sample in self._samples())

    def _samples(self) -> Iterator[Sample]:
        return (sample for family in self._families for sample in family.samples)


@contextmanager
def measured_site(home: Path, redis_url: str) -> Iterator[Site]:
    """A front end over a farm that has seen everything."""
    app = create_app(Settings(home=home, catalog=home / "catalog.toml", redis_url=redis_url))
    farm = farm_of(app)
    site = Site(app, farm, Metrics(farm, settled=timedelta(0)))
    make_situation(site.client, farm)
    yield site
    close_farm(app)


def make_situation(client: FlaskClient, farm: Farm) -> None:
    """One job of each kind, one worker, one delivery that arrived and one that did not."""
    done = _ask(client, "done", webhook=WEBHOOK, webhook_events_filter=["completed"])
    finish_job(farm, done)
    assert _ask(client, "done") != done  # the cache has it
    fail_job(farm, _ask(client, "failed", cache=False))
    assert cancel_job(farm.db, _ask(client, "canceled", cache=False), scope="")
    waiting = _ask(client, "waiting", model="large")
    assert _ask(client, "waiting", model="large") != waiting  # joined, and is no work of its own
    held = _ask(client, "held", webhook=WEBHOOK, webhook_events_filter=["start"], cache=False)
    hand_back(farm.db, take(farm, held, Stage.ENCODE), how=PREEMPTED)
    take(farm, held, Stage.ENCODE)
    for delivery in take_deliveries(farm.db, room=lambda host: 9, limit=10, lease_s=60):
        status = 204 if delivery.job_id == done else 500
        settle_delivery(farm.db, delivery, Receipt(status), lambda tries: timedelta(hours=1))
    farm.redis.rpush(farm.pools[0].queue(Stage.DENOISE), "a hint")
    report_worker(farm.db, WORKER, 4, RESIDENTS, MEASURED)


def _ask(client: FlaskClient, prompt: str, **values: object) -> str:
    answer = client.post("/api/v1/jobs", json={"prompt": prompt, "model": "tiny", **values})
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])
