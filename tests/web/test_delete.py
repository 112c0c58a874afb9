"""Deleting a job: nothing of it is found any more, in SQL, in storage or in Redis."""

import io
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from redis import Redis
from sqlalchemy import select

from myriad.db.commit import advance
from myriad.db.inputs import find_inputs
from myriad.db.keys import create_key
from myriad.db.tables import Base
from myriad.farm import Farm
from myriad.job import Stage
from tests.web.conftest import OpenApp, farm_of
from tests.web.drawing import finish_job, take
from tests.web.test_pages import csrf, text
from tests.web.test_pages import submit as submit_form

JOBS = "/api/v1/jobs"
CANARY = "canary-5b1c9e"


def ask(client: FlaskClient, **fields: Any) -> str:
    response = client.post(JOBS, json={"prompt": CANARY, **fields})
    assert response.status_code == 201, response.text
    job_id: str = response.json["id"]
    return job_id


def found(farm: Farm, *words: str) -> list[str]:
    """Every place where one of the words stands: rows, stored bytes and their keys, Redis."""
    needles = [word.encode() for word in words]
    places: dict[str, bytes] = {}
    with farm.db.read() as session:
        for table in Base.metadata.sorted_tables:
            for place, row in enumerate(session.execute(select(table)).all()):
                places[f"{table.name} {place}"] = str(row).encode()
    for key, _ in farm.storage.list_keys(""):
        places[f"storage {key}"] = key.encode() + farm.storage.get(key)
    with Redis.from_url(farm.settings.redis) as redis:
        for key in redis.scan_iter():
            is_text = redis.type(key) == b"string"
            places[f"redis {key}"] = key + (redis.get(key) if is_text else redis.dump(key))
    return [place for place, held in places.items() if any(word in held for word in needles)]


def draw_with_canary(farm: Farm, job_id: str) -> None:
    """Finish it, its stored file carrying the prompt as a real one does."""
    finish_job(farm, job_id)
    for key, _ in list(farm.storage.list_keys("images/")):
        farm.storage.put(key, farm.storage.get(key) + CANARY.encode(), "image/png")


def test_no_trace_is_left(client: FlaskClient, farm: Farm) -> None:
    job_id = ask(client, metadata={"note": CANARY}, webhook="https://example.com/hook")
    draw_with_canary(farm, job_id)
    farm.signals.set_progress(job_id, 0.5)
    farm.signals.set_preview(job_id, CANARY.encode())
    assert len(found(farm, CANARY, job_id)) > 5
    response = client.delete(f"{JOBS}/{job_id}")
    assert (response.status_code, response.data) == (204, b"")
    assert found(farm, CANARY, job_id) == []
    for method in (client.get, client.delete):
        assert method(f"{JOBS}/{job_id}").json["error"]["code"] == "not_found"


def test_a_live_job_is_ended_and_its_artifacts_go(client: FlaskClient, farm: Farm) -> None:
    job_id = ask(client)
    lease = take(farm, job_id, Stage.ENCODE)
    key = f"{job_id}-encode-{lease.attempt}"
    farm.artifacts.put(key, CANARY.encode())
    assert advance(farm.db, lease, key)
    farm.artifacts.put(f"{key}-checkpoint", CANARY.encode())
    assert client.delete(f"{JOBS}/{job_id}").status_code == 204
    assert found(farm, CANARY, job_id) == []


def test_inputs_go_with_the_last_job_that_names_them(client: FlaskClient, farm: Farm) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (1, 2, 3)).save(buffer, "PNG")
    buffer.seek(0)
    answer = client.post("/api/v1/inputs", data={"file": (buffer, "a.png")})
    digest = answer.json["id"]
    jobs = [ask(client, image=digest, seed=seed) for seed in (1, 2)]
    client.delete(f"{JOBS}/{jobs[0]}")
    assert find_inputs(farm.db, [digest], scope="")
    client.delete(f"{JOBS}/{jobs[1]}")
    assert not find_inputs(farm.db, [digest], scope="")


def test_another_callers_job_is_not_found(open_app: OpenApp) -> None:
    app = open_app()
    farm = farm_of(app)
    client, keys = app.test_client(), [create_key(farm.db, name)[1] for name in ("a", "b")]
    mine, yours = ({"Authorization": f"Bearer {key}"} for key in keys)
    job_id = client.post(JOBS, json={"prompt": "x"}, headers=mine).json["id"]
    answer = client.delete(f"{JOBS}/{job_id}", headers=yours)
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")
    assert client.get(f"{JOBS}/{job_id}", headers=mine).status_code == 200
    assert client.delete(f"{JOBS}/{job_id}", headers=mine).status_code == 204


def test_the_page_asks_first_and_needs_no_script(client: FlaskClient, farm: Farm) -> None:
    job = submit_form(client, farm)
    finish_job(farm, job.id)
    link = re.search(rf'href="(/jobs/{job.id}/delete)"', client.get(f"/jobs/{job.id}").text)
    assert link
    assert "cannot be undone" in text(client.get(link[1]).text)
    assert client.post(link[1]).status_code == 400  # without the token
    sent = client.post(link[1], data={"csrf_token": csrf(client, link[1])})
    assert (sent.status_code, sent.location) == (303, "/gallery")
    assert client.get(f"/jobs/{job.id}").status_code == 404
    assert client.get("/gallery").status_code == 200


@pytest.mark.parametrize("is_flagged", [True, False])
def test_a_flagged_picture_says_so(client: FlaskClient, farm: Farm, is_flagged: bool) -> None:
    job_id = ask(client)
    finish_job(farm, job_id, flagged=is_flagged)
    [image] = client.get(f"{JOBS}/{job_id}").json["output"]
    assert image["flagged"] is is_flagged
    page = text(client.get(f"/jobs/{job_id}").text)
    assert ("safety checker" in page) is is_flagged
