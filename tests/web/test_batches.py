"""Batches over HTTP: checked job by job, made whole or not at all, looked at and canceled."""

from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from myriad.db.keys import create_key
from myriad.db.tables import BatchRow, JobRow
from tests.db.steps import count
from tests.web.bombs import picture
from tests.web.conftest import OpenApp, farm_of
from tests.web.drawing import finish_job
from tests.web.test_jobs import JOBS
from web.app import FrontEnd

BATCHES = "/api/v1/batches"
TWO = {"jobs": [{"prompt": "a", "seed": 1}, {"prompt": "b", "seed": 2}]}


@pytest.fixture(scope="module")
def client(module_app: FrontEnd) -> FlaskClient:
    return module_app.test_client()


def ask(client: FlaskClient, **body: Any) -> dict[str, Any]:
    answer = client.post(BATCHES, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json
    return found


def inputs_of(client: FlaskClient, batch: dict[str, Any]) -> list[dict[str, Any]]:
    """The parameters of its jobs, in their order."""
    jobs = client.get(batch["urls"]["jobs"] + "&limit=100").json["jobs"]
    assert {job["batch"] for job in jobs} <= {batch["id"]}
    return [job["input"] for job in jobs[::-1]]


def test_a_list_of_jobs(client: FlaskClient) -> None:
    answer = client.post(BATCHES, json={**TWO, "metadata": {"for": "图"}})
    assert answer.status_code == 201
    batch = answer.json
    assert answer.headers["Location"] == f"{BATCHES}/{batch['id']}"
    assert (batch["status"], batch["total"], batch["progress"]) == ("running", 2, 0)
    assert batch["counts"]["queued"] == 2
    assert batch["metadata"] == {"for": "图"}
    assert client.get(batch["urls"]["get"]).json == batch
    assert [each["prompt"] for each in inputs_of(client, batch)] == ["a", "b"]
    assert client.get(BATCHES).json["batches"][0] == batch


def test_a_grid_makes_every_combination(client: FlaskClient) -> None:
    batch = ask(
        client,
        template={"prompt": "x", "width": 64},
        grid={"seed": [1, 2, 3], "guidance_scale": [3, 5]},
    )
    assert batch["total"] == 6
    found = [(each["seed"], each["guidance_scale"]) for each in inputs_of(client, batch)]
    assert found == [(1, 3), (1, 5), (2, 3), (2, 5), (3, 3), (3, 5)]


def test_a_grid_may_hold_what_a_job_must_have(client: FlaskClient) -> None:
    batch = ask(client, template={"seed": 1}, grid={"prompt": ["a dog", "a cat"]})
    assert [each["prompt"] for each in inputs_of(client, batch)] == ["a dog", "a cat"]


def test_pictures_may_come_in_it(client: FlaskClient) -> None:
    handed = client.post("/api/v1/inputs", data={"file": (BytesIO(picture()), "a.png")}).json["id"]
    template = {"prompt": "x", "image": handed, "strength": 0.5}
    batch = ask(client, template=template, grid={"seed": [1, 2]})
    assert [each["image"] for each in inputs_of(client, batch)] == [handed] * 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "jobs"),
        ({"jobs": []}, "jobs"),
        ({"jobs": [1]}, "jobs.0"),
        ({**TWO, "template": {"prompt": "x"}}, "jobs"),
        ({**TWO, "grid": {"seed": [1]}}, "grid"),
        ({**TWO, "webhook": "http://10.0.0.1/"}, "webhook"),
        ({**TWO, "speed": 1}, "speed"),
        ({"jobs": [{"prompt": "x"}, {"prompt": "x", "width": 7}]}, "jobs.1.width"),
        ({"jobs": [{"prompt": "x"}, {"prompt": "x", "width": 68}]}, "jobs.1.width"),
        ({"jobs": [{"prompt": "x"}, {"prompt": "x", "colour": 1}]}, "jobs.1.colour"),
        ({"jobs": [{"prompt": "x"}, {}]}, "jobs.1.prompt"),
        ({"jobs": [{"prompt": "x", "loras": [{"name": "no"}]}]}, "jobs.0.loras.0.name"),
        ({"jobs": [{"prompt": "x", "model": "no"}]}, "jobs.0.model"),
        ({"jobs": [{"prompt": "x", "image": "0" * 64}]}, "jobs.0.image"),
        ({"template": {"prompt": "x"}, "grid": {"colour": [1]}}, "grid.colour"),
        ({"template": {"prompt": "x"}, "grid": {"seed": []}}, "grid.seed"),
        ({"template": {"prompt": "x", "seed": 1}, "grid": {"seed": [1]}}, "grid.seed"),
        ({"template": {"prompt": "x"}, "grid": {"seed": [1, 2, -3]}}, "grid.seed.2"),
        ({"template": {"prompt": "x", "width": 7}, "grid": {"seed": [1]}}, "template.width"),
        ({"template": {}, "grid": {"seed": [1]}}, "template.prompt"),
    ],
)
def test_an_error_names_the_job_and_leaves_nothing(
    client: FlaskClient, module_app: FrontEnd, body: dict[str, Any], field: str
) -> None:
    db = farm_of(module_app).db
    before = count(db, JobRow), count(db, BatchRow)
    answer = client.post(BATCHES, json=body)
    assert answer.status_code == 400
    assert answer.json["error"]["field"] == field
    assert (count(db, JobRow), count(db, BatchRow)) == before


def test_the_same_key_is_the_same_batch(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "batch"}
    first = client.post(BATCHES, json=TWO, headers=headers)
    again = client.post(BATCHES, json=TWO, headers=headers)
    assert again.json["id"] == first.json["id"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    other = client.post(BATCHES, json={"jobs": TWO["jobs"][:1]}, headers=headers)
    assert other.status_code == 422
    assert client.post(JOBS, json={"prompt": "x"}, headers=headers).status_code == 422


def test_it_moves_ends_and_can_be_canceled(client: FlaskClient, module_app: FrontEnd) -> None:
    batch = ask(client, template={"prompt": "moving"}, grid={"seed": [1, 2, 3, 4]})
    jobs = client.get(batch["urls"]["jobs"]).json["jobs"]
    finish_job(farm_of(module_app), jobs[0]["id"])
    now = client.get(batch["urls"]["get"]).json
    assert (now["progress"], now["counts"]["succeeded"]) == (0.25, 1)
    for _ in range(2):
        now = client.post(batch["urls"]["cancel"]).json
        assert (now["status"], now["progress"]) == ("canceled", 1)
        assert (now["counts"]["succeeded"], now["counts"]["canceled"]) == (1, 3)
    assert now["completed_at"]
    canceled = client.get(batch["urls"]["jobs"] + "&status=canceled").json["jobs"]
    assert len(canceled) == 3


def test_it_has_its_bounds_and_its_caller_s_limits(open_app: OpenApp) -> None:
    app = open_app(max_batch=4)
    key = create_key(farm_of(app).db, "few", limits={"max_queued": 3})[1]
    client, headers = app.test_client(), {"Authorization": f"Bearer {key}"}

    def asked(**body: Any) -> Any:
        answer = client.post(BATCHES, json=body, headers=headers)
        return answer.status_code, answer.json.get("error", {}).get("code")

    jobs = [{"prompt": "x", "seed": seed} for seed in range(5)]
    assert asked(jobs=jobs) == (400, "invalid_request")
    grid = {"seed": list(range(10)), "width": [64] * 100_000}
    assert asked(template={"prompt": "x"}, grid=grid) == (400, "invalid_request")
    assert asked(jobs=jobs[:4]) == (429, "too_many_jobs")
    assert asked(jobs=jobs[:3]) == (201, None)
