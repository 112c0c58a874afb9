"""Liveness, readiness with workers, and figures."""

from pathlib import Path

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from myriad.claimant import Claimant
from myriad.db.workers import mark_unfit, report_worker
from myriad.farm import Farm
from myriad.job import Stage
from myriad.resident import Resident, Tier
from tests.web.conftest import OpenApp, farm_of, write_pools
from tests.web.drawing import WORKER, finish_job


def figures(text: str) -> dict[tuple[str, str], float]:
    """Value by name and state/stage label."""
    return {
        (sample.name, sample.labels.get("state") or sample.labels.get("stage", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_alive(client: FlaskClient) -> None:
    assert client.get("/livez").json == {"status": "ok"}


def test_ready_once_every_stage_has_a_worker(client: FlaskClient, farm: Farm) -> None:
    report_worker(farm.db, WORKER, slots=4, models=[Resident("tiny", Tier.DEVICE, 1)])
    response = client.get("/readyz")
    assert response.status_code == 200, response.text
    assert set(response.json["checks"].values()) == {"ok"}


def test_not_ready_without_those_who_could_not_work(client: FlaskClient, farm: Farm) -> None:
    report_worker(farm.db, WORKER, slots=4, models=[])
    mark_unfit(farm.db, WORKER.name, "device_lost: CUDA error: device-side assert triggered")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json["checks"]["workers"] == (
        "none live for encode, denoise, decode; "
        f"{WORKER.pool} left: device_lost: CUDA error: device-side assert triggered"
    )


def test_not_ready_while_a_model_lacks_a_stage(open_app: OpenApp, tmp_path: Path) -> None:
    pools = write_pools(
        tmp_path,
        all=(["tiny", "english", "large"], Stage),
        text=(["film"], [Stage.ENCODE]),
        video=(["film"], [Stage.DENOISE, Stage.DECODE]),
    )
    app = open_app(pools=pools)
    client, farm = app.test_client(), farm_of(app)
    report_worker(farm.db, WORKER, slots=4, models=[])
    report_worker(farm.db, Claimant("text@host.1.aa", "text", "cpu"), slots=4, models=[])
    response = client.get("/readyz")
    assert response.status_code == 503
    workers = response.json["checks"]["workers"]
    assert workers == "none live for denoise of film, decode of film"
    report_worker(farm.db, Claimant("video@host.1.aa", "video", "cpu"), slots=4, models=[])
    assert client.get("/readyz").status_code == 200


def test_figures_come_from_sql(client: FlaskClient, farm: Farm) -> None:
    report_worker(farm.db, WORKER, slots=4, models=[Resident("tiny", Tier.DEVICE, 1)])
    done = client.post("/api/v1/jobs", json={"prompt": "a"}).json["id"]
    finish_job(farm, done)
    client.post("/api/v1/jobs", json={"prompt": "b"})
    found = figures(client.get("/metrics").text)
    assert found["myriad_jobs", "succeeded"] == 1
    assert found["myriad_jobs", "queued"] == 1
    assert found["myriad_jobs", "failed"] == 0
    assert found["myriad_stage_waiting", "encode"] == 1
    assert found["myriad_worker_slots", ""] == 4
    assert found["myriad_webhooks_pending", ""] == 0
