"""The native API: asking for jobs, looking at them, ending them."""

from typing import Any

from flask.testing import FlaskClient

from myriad.db.commit import RetryRule, give_up
from myriad.db.jobs import find_job
from myriad.errors import PromptTooLong
from myriad.farm import Farm
from myriad.job import Stage
from myriad.status import job_view
from tests.web.conftest import OpenApp
from tests.web.drawing import fail_job, finish_job, take

JOBS = "/api/v1/jobs"


def ask(client: FlaskClient, prompt: str = "一个红色圆形", **fields: Any) -> dict[str, Any]:
    response = client.post(JOBS, json={"prompt": prompt, **fields})
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.json
    return body


def test_new_job_has_every_param_and_the_seed_resolved(client: FlaskClient) -> None:
    job = ask(client)
    assert job["status"] == "queued"
    assert job["progress"] == 0
    assert job["queue_position"] == 0
    assert job["input"]["prompt"] == "一个红色圆形"
    assert job["input"]["num_inference_steps"] == 4
    assert isinstance(job["input"]["seed"], int)
    assert job["output"] is None
    assert job["error"] is None
    assert job["cache"] == "miss"


def test_all_fields_are_honoured(client: FlaskClient) -> None:
    fields = {
        "negative_prompt": "blue",
        "model": "tiny",
        "width": 128,
        "height": 64,
        "num_inference_steps": 7,
        "guidance_scale": 3,
        "seed": 5,
        "num_images": 2,
        "scheduler": "eulerdiscrete",
        "output_format": "webp",
        "priority": -100,
        "metadata": {"who": "我"},
    }
    job = ask(client, "a circle", **fields)
    wanted = fields | {"scheduler": "EulerDiscreteScheduler", "guidance_scale": 3.0}
    for name, value in wanted.items():
        shown = job["input"] if name in job["input"] else job
        assert shown[name] == value


def test_answer_is_the_core_s_own_view(client: FlaskClient, farm: Farm) -> None:
    job = ask(client)
    finish_job(farm, job["id"])
    answer = client.get(f"{JOBS}/{job['id']}").json
    record = find_job(farm.db, job["id"], scope=None)
    urls = iter(image["url"] for image in answer["output"])
    base = "http://localhost"
    assert answer == job_view(record, fraction=0.0, link=lambda image: next(urls), base_url=base)


def test_finished_job_leads_to_its_picture(client: FlaskClient, farm: Farm) -> None:
    job_id = ask(client, num_images=2, seed=7)["id"]
    finish_job(farm, job_id)
    job = client.get(f"{JOBS}/{job_id}").json
    assert job["status"] == "succeeded"
    assert job["progress"] == 1
    assert [image["seed"] for image in job["output"]] == [7, 8]
    picture = client.get(job["output"][0]["url"])
    assert picture.content_type == "image/png"
    assert picture.data.startswith(b"\x89PNG")


def test_progress_comes_from_the_hint(client: FlaskClient, farm: Farm) -> None:
    job_id = ask(client)["id"]
    take(farm, job_id, Stage.ENCODE)
    farm.signals.set_progress(job_id, 0.5)
    job = client.get(f"{JOBS}/{job_id}").json
    assert job["status"] == "running"
    assert job["progress"] == 0.025


def test_failed_job_says_why(client: FlaskClient, farm: Farm) -> None:
    job_id = ask(client)["id"]
    fail_job(farm, job_id)
    job = client.get(f"{JOBS}/{job_id}").json
    assert job["status"] == "failed"
    assert job["error"]["code"] == "non_finite_output"
    assert "field" not in job["error"]


def test_failed_job_names_the_culprit(client: FlaskClient, farm: Farm) -> None:
    job_id = ask(client)["id"]
    lease = take(farm, job_id, Stage.ENCODE)
    assert give_up(farm.db, lease, PromptTooLong("too long", field="prompt"), RetryRule())
    error = {"code": "prompt_too_long", "message": "too long", "field": "prompt"}
    assert client.get(f"{JOBS}/{job_id}").json["error"] == error
    [listed] = client.get(JOBS).json["jobs"]
    assert listed["error"] == error


def test_same_request_again_is_answered_from_the_cache(client: FlaskClient, farm: Farm) -> None:
    first = ask(client)
    finish_job(farm, first["id"])
    again = ask(client)
    assert again["cache"] == "hit"
    assert again["status"] == "succeeded"
    assert again["id"] != first["id"]
    assert ask(client, cache=False)["cache"] == "miss"


def test_identical_requests_in_flight_share_one_run(client: FlaskClient, farm: Farm) -> None:
    jobs = [ask(client) for _ in range(5)]
    assert [job["cache"] for job in jobs] == ["miss"] + ["joined"] * 4
    finish_job(farm, jobs[0]["id"])
    states = {client.get(f"{JOBS}/{job['id']}").json["status"] for job in jobs}
    assert states == {"succeeded"}


def test_replayed_idempotency_key_gives_the_same_job(client: FlaskClient) -> None:
    send = {"headers": {"Idempotency-Key": "order 66"}, "json": {"prompt": "a", "seed": 1}}
    first, second = client.post(JOBS, **send), client.post(JOBS, **send)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json["id"] == second.json["id"]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"


def test_order_of_fields_does_not_make_another_request(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    first = client.post(JOBS, headers=headers, data='{"prompt": "a", "seed": 1}')
    second = client.post(JOBS, headers=headers, data='{"seed":1,"prompt":"a"}')
    assert first.json["id"] == second.json["id"]


def test_idempotency_key_with_another_body_is_refused(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "k"}
    client.post(JOBS, headers=headers, json={"prompt": "a"})
    response = client.post(JOBS, headers=headers, json={"prompt": "b"})
    assert response.status_code == 422
    assert response.json["error"]["code"] == "idempotency_mismatch"


def test_odd_idempotency_keys_are_refused(client: FlaskClient) -> None:
    for key in ("", "x" * 256, "café"):
        headers = {"Idempotency-Key": key}
        response = client.post(JOBS, headers=headers, json={"prompt": "a"})
        assert response.status_code == 400
        assert response.json["error"]["field"] == "Idempotency-Key"


def test_cancel_is_final_and_may_be_repeated(client: FlaskClient) -> None:
    job = ask(client)
    for _ in range(2):
        answer = client.post(f"{JOBS}/{job['id']}/cancel")
        assert answer.status_code == 200
        assert answer.json["status"] == "canceled"


def test_cancel_leaves_a_finished_job_alone(client: FlaskClient, farm: Farm) -> None:
    job_id = ask(client)["id"]
    finish_job(farm, job_id)
    assert client.post(f"{JOBS}/{job_id}/cancel").json["status"] == "succeeded"


def test_list_pages_from_newest_to_oldest(client: FlaskClient) -> None:
    ids = [ask(client, f"circle {number}")["id"] for number in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = client.get(JOBS, query_string={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        seen += [job["id"] for job in page.json["jobs"]]
        cursor = page.json["cursor"]
        if not cursor:
            break
    assert seen == ids[::-1]


def test_list_filters_by_status(client: FlaskClient) -> None:
    kept, canceled = ask(client, "a")["id"], ask(client, "b")["id"]
    client.post(f"{JOBS}/{canceled}/cancel")
    page = client.get(JOBS, query_string={"status": "queued"}).json
    assert [job["id"] for job in page["jobs"]] == [kept]
    assert client.get(JOBS, query_string={"status": "x"}).json["error"]["field"] == "status"


def test_queue_position_counts_those_before(client: FlaskClient) -> None:
    assert [ask(client, f"{number}")["queue_position"] for number in range(3)] == [0, 1, 2]
    assert ask(client, "urgent", priority=1)["queue_position"] == 0


def test_prefer_wait_answers_when_the_job_is_final(client: FlaskClient, farm: Farm) -> None:
    finish_job(farm, ask(client)["id"])
    response = client.post(JOBS, headers={"Prefer": "wait"}, json={"prompt": "一个红色圆形"})
    assert response.json["status"] == "succeeded"
    assert response.headers["Preference-Applied"] == "wait"


def test_prefer_wait_gives_up_in_time(client: FlaskClient) -> None:
    response = client.post(JOBS, headers={"Prefer": "wait=1"}, json={"prompt": "a"})
    assert response.status_code == 201
    assert response.json["status"] == "queued"


def test_links_follow_the_request_or_the_setting(client: FlaskClient, open_app: OpenApp) -> None:
    job = client.post(JOBS, json={"prompt": "a"}, base_url="http://farm:81").json
    assert job["urls"]["get"] == f"http://farm:81/api/v1/jobs/{job['id']}"
    public = open_app(public_url="https://pictures.example/").test_client()
    job = ask(public)
    assert job["urls"]["web"] == f"https://pictures.example/jobs/{job['id']}"


def test_webhooks_to_private_addresses_are_refused(client: FlaskClient) -> None:
    response = client.post(JOBS, json={"prompt": "a", "webhook": "http://127.0.0.1/hook"})
    assert response.status_code == 400
    assert response.json["error"]["field"] == "webhook"


def test_models_say_what_they_take_and_not_where_they_lie(client: FlaskClient) -> None:
    answer = client.get("/api/v1/models")
    first, second = answer.json["models"][:2]
    assert (first["name"], first["is_default"], second["is_default"]) == ("tiny", True, False)
    assert first["languages"] == ["en", "zh"]
    assert first["limits"]["max_steps"] == 50
    assert "weights" not in answer.text


def test_webhook_secret_is_shown_on_an_open_farm(client: FlaskClient, farm: Farm) -> None:
    answer = client.get("/api/v1/webhooks/default/secret")
    assert answer.json == {"key": farm.webhook_secret}
