"""A farm that has too much to do says so at the door."""

from pathlib import Path

from flask.testing import FlaskClient

from tests.web.conftest import OpenApp, farm_of
from tests.web.drawing import finish_job
from tests.web.test_jobs import JOBS, ask
from tests.web.test_pages import FORM, csrf


def overloaded(open_app: OpenApp, **settings: object) -> FlaskClient:
    """Five jobs took a moment each, and ever so many wait."""
    app = open_app()
    client = app.test_client()
    for number in range(5):
        finish_job(farm_of(app), ask(client, f"drawn {number}")["id"])
    for number in range(20):
        ask(client, f"waits {number}", priority=1)
    return open_app(**settings).test_client()


def test_a_deadline_that_cannot_be_kept_is_refused(open_app: OpenApp) -> None:
    client = overloaded(open_app)
    late = {"prompt": "late", "deadline_s": 0.001}
    answer = client.post(JOBS, json=late)
    assert answer.status_code == 429
    assert answer.json["error"]["code"] == "rate_limited"
    assert answer.json["error"]["field"] == "deadline_s"
    assert int(answer.headers["Retry-After"]) > 0
    assert len(client.get(JOBS).json["jobs"]) == 25
    assert client.post(JOBS, json={**late, "deadline_s": 3600}).status_code == 201
    assert client.post(JOBS, json={**late, "priority": 2}).status_code == 201
    assert client.post(JOBS, json={**late, "prompt": "drawn 3"}).status_code == 201


def test_the_operator_s_longest_wait_holds_for_all(open_app: OpenApp) -> None:
    client = overloaded(open_app)
    assert ask(client, "no limit")["status"] == "queued"
    strict = open_app(max_wait_s=0.001).test_client()
    answer = strict.post(JOBS, json={"prompt": "another"})
    assert answer.status_code == 503
    assert answer.json["error"]["code"] == "overloaded"
    assert "seconds" in answer.json["error"]["message"]
    assert int(answer.headers["Retry-After"]) > 0
    assert ask(strict, "waits 3")["cache"] == "joined"
    page = strict.post("/", data={**FORM, "csrf_token": csrf(strict), "prompt": "by hand"})
    assert page.status_code == 503
    assert "too much to do" in page.text
    assert int(page.headers["Retry-After"]) > 0
    assert ">by hand</textarea>" in page.text


def test_only_those_who_share_workers_count(open_app: OpenApp, tmp_path: Path) -> None:
    pools = tmp_path / "pools.toml"
    stages = 'stages = ["encode", "denoise", "decode"]'
    pools.write_text(
        f'[[pool]]\nname = "a"\nmodels = ["tiny"]\n{stages}\n'
        f'[[pool]]\nname = "b"\nmodels = ["english"]\n{stages}\n'
    )
    client = overloaded(open_app, pools=pools, max_wait_s=0.001)
    assert client.post(JOBS, json={"prompt": "a", "model": "tiny"}).status_code == 503
    assert client.post(JOBS, json={"prompt": "a", "model": "english"}).status_code == 201
