"""However many jobs wait: ComfyUI's and AUTOMATIC1111's doors know of each."""

from uuid import UUID

import pytest
from flask.testing import FlaskClient

from myriad.db.intake import submit
from myriad.db.jobs import find_job
from myriad.farm import Farm
from myriad.job import JobState, Stage
from tests.submissions import make_submission
from tests.web.conftest import farm_of
from tests.web.drawing import finish_job, take
from web.app import FrontEnd

MANY = 103


@pytest.fixture(scope="module")
def client(module_app: FrontEnd) -> FlaskClient:
    return module_app.test_client()


@pytest.fixture(scope="module")
def farm(module_app: FrontEnd) -> Farm:
    return farm_of(module_app)


def ask(farm: Farm, door: str, count: int = MANY) -> list[str]:
    """So many different jobs, the oldest first."""
    prompts = [f"{door} {number} of {count}" for number in range(count)]
    return [submit(farm.db, make_submission(each, door=door)).job_id for each in prompts]


def states(farm: Farm, job_ids: list[str]) -> set[JobState]:
    return {find_job(farm.db, job_id, scope=None).state for job_id in job_ids}


def test_comfyui_lists_counts_and_clears_all(client: FlaskClient, farm: Farm) -> None:
    def remaining() -> int:
        return int(client.get("/prompt").json["exec_info"]["queue_remaining"])

    [done] = ask(farm, "comfyui", 1)
    finish_job(farm, done)
    waiting = ask(farm, "comfyui")
    names = [str(UUID(job_id)) for job_id in waiting]
    assert remaining() == MANY
    queue = client.get("/queue").json
    assert [item[1] for item in queue["queue_pending"]] == names
    assert queue["queue_running"] == []
    assert list(client.get("/history").json) == [str(UUID(done))]
    client.post("/queue", json={"delete": [names[0], "nothing", 7]})
    assert (states(farm, waiting[:1]), remaining()) == ({JobState.CANCELED}, MANY - 1)
    take(farm, waiting[1], Stage.ENCODE)
    client.post("/queue", json={"clear": True})
    assert (states(farm, waiting[2:]), remaining()) == ({JobState.CANCELED}, 1)
    client.post("/interrupt", json={"prompt_id": names[2]})
    assert states(farm, waiting[1:2]) == {JobState.RUNNING}
    client.post("/interrupt")
    assert (states(farm, waiting[1:2]), remaining()) == ({JobState.CANCELED}, 0)


def test_the_history_has_the_newest_the_oldest_of_them_first(
    client: FlaskClient, farm: Farm
) -> None:
    done = ask(farm, "comfyui", 3)
    for job_id in done:
        finish_job(farm, job_id)
    shown = client.get("/history", query_string={"max_items": 2}).json
    assert list(shown) == [str(UUID(job_id)) for job_id in done[1:]]
    assert client.get("/history", query_string={"max_items": 0}).json == {}


def test_automatic1111_counts_all_and_ends_the_one_that_goes_next(
    client: FlaskClient, farm: Farm
) -> None:
    waiting = ask(farm, "automatic1111")
    state = client.get("/sdapi/v1/progress").json["state"]
    assert (state["job"], state["job_count"]) == (waiting[0], MANY)
    client.post("/sdapi/v1/interrupt")
    assert states(farm, waiting[:1]) == {JobState.CANCELED}
    assert states(farm, waiting[1:]) == {JobState.QUEUED}
    take(farm, waiting[7], Stage.ENCODE)
    client.post("/sdapi/v1/interrupt")
    assert states(farm, [waiting[0], waiting[7]]) == {JobState.CANCELED}
    assert states(farm, waiting[1:7]) == {JobState.QUEUED}
