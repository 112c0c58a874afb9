"""The pages as they come from the server: everything works without JavaScript."""

import re
from html import unescape

import pytest
from flask.testing import FlaskClient

from myriad.db.jobs import find_job, list_jobs
from myriad.db.keys import create_key
from myriad.farm import Farm
from myriad.job import Stage
from myriad.record import JobRecord
from tests.web.drawing import fail_job, finish_job, take
from tests.web.login import bearer, log_in

FORM = {"prompt": "一个红色圆形", "model": "tiny", "size": "64x64", "num_images": "2", "seed": "7"}


def text(html: str) -> str:
    """What a reader sees, on one line."""
    body = re.sub(r"<(script|style|noscript).*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


def csrf(client: FlaskClient, path: str = "/") -> str:
    match = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)
    assert match
    return match[1]


def submit(client: FlaskClient, farm: Farm, **changes: str) -> JobRecord:
    """Send the form and return the job it made."""
    response = client.post("/", data={**FORM, "csrf_token": csrf(client), **changes})
    assert response.status_code == 303, text(response.text)
    assert response.location.startswith("/jobs/")
    return find_job(farm.db, response.location.removeprefix("/jobs/"), scope="")


def test_form_becomes_a_job(client: FlaskClient, farm: Farm) -> None:
    job = submit(client, farm, guidance_scale="6.5", scheduler="DDIMScheduler")
    assert job.params["prompt"] == "一个红色圆形"
    assert (job.params["num_images"], job.params["seed"]) == (2, 7)
    assert (job.params["guidance_scale"], job.params["scheduler"]) == (6.5, "DDIMScheduler")


def test_form_takes_what_keyboards_and_browsers_make_of_it(client: FlaskClient, farm: Farm) -> None:
    job = submit(
        client, farm, prompt="一行\r\n两行，（一）：", num_inference_steps="１２", seed=" ７ "
    )
    assert job.params["prompt"] == "一行\n两行，（一）："
    assert (job.params["num_inference_steps"], job.params["seed"]) == (12, 7)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", " "),
        ("prompt", "\0"),
        ("prompt", "x" * 8001),
        ("size", "65x64"),
        ("size", "big"),
        ("num_images", "99"),
        ("num_inference_steps", "-1"),
        ("num_inference_steps", "9" * 5000),
        ("guidance_scale", "1e999"),
        ("guidance_scale", "51"),
        ("seed", "x"),
        ("scheduler", "<b>"),
        ("output_format", "exe"),
    ],
)
def test_form_comes_back_and_says_what_to_mend(
    client: FlaskClient, farm: Farm, field: str, value: str
) -> None:
    data = {**FORM, "csrf_token": csrf(client), field: value, "negative_prompt": "keep <me>"}
    response = client.post("/", data=data)
    assert response.status_code == 400
    assert 'class="complaint"' in response.text
    assert "aria-invalid" in response.text or field in ("scheduler", "output_format")
    assert "keep &lt;me&gt;" in response.text
    assert list_jobs(farm.db, scope=None).jobs == ()


def test_only_sizes_the_model_takes_are_offered(client: FlaskClient) -> None:
    for model in ("tiny", "english"):
        sizes = re.findall(r'name="size" value="(\d+)x(\d+)"', client.get(f"/?model={model}").text)
        assert len(sizes) == 5
        for size in sizes:
            answer = client.post(
                "/api/v1/jobs",
                json={"prompt": "a", "model": model, "width": int(size[0]), "height": int(size[1])},
            )
            assert answer.status_code == 201


def test_queued_job_refreshes_itself_and_tells_its_place(client: FlaskClient, farm: Farm) -> None:
    for number in range(3):
        submit(client, farm, prompt=f"circle {number}")
    job = submit(client, farm)
    page = client.get(f"/jobs/{job.id}", headers={"Accept-Language": "zh-CN"})
    assert '<noscript><meta http-equiv="refresh"' in page.text
    assert 'role="progressbar"' in page.text
    assert "排队中，前面还有 3 个任务" in text(page.text)
    english = client.get(f"/jobs/{job.id}", headers={"Accept-Language": "en"})
    assert "3 jobs go first" in text(english.text)


def test_running_job_shows_its_stage_and_progress(client: FlaskClient, farm: Farm) -> None:
    job = submit(client, farm)
    take(farm, job.id, Stage.ENCODE)
    farm.signals.set_progress(job.id, 1.0)
    page = client.get(f"/jobs/{job.id}/panel").text
    assert "Reading the prompt" in text(page)
    assert 'value="5"' in page
    assert "<html" not in page


def test_finished_job_shows_pictures_and_stops_asking(client: FlaskClient, farm: Farm) -> None:
    job = submit(client, farm)
    finish_job(farm, job.id)
    page = client.get(f"/jobs/{job.id}").text
    assert "refresh" not in page
    assert "hx-get" not in page
    sources = re.findall(r'<img src="([^"]+)" alt="一个红色圆形"', page)
    assert len(sources) == 2
    assert client.get(unescape(sources[0])).content_type == "image/png"


def test_cached_answer_wears_its_badge(client: FlaskClient, farm: Farm) -> None:
    finish_job(farm, submit(client, farm).id)
    again = submit(client, farm)
    assert again.cache == "hit"
    page = client.get(f"/jobs/{again.id}", headers={"Accept-Language": "zh"})
    assert "缓存命中" in text(page.text)


def test_failed_job_says_what_may_help(client: FlaskClient, farm: Farm) -> None:
    job = submit(client, farm)
    fail_job(farm, job.id)
    page = text(client.get(f"/jobs/{job.id}").text)
    assert "no usable picture" in page
    assert "non_finite_output" in page
    assert "not finite" not in page


def act(client: FlaskClient, farm: Farm, job_id: str, verb: str) -> JobRecord:
    token = csrf(client, f"/jobs/{job_id}")
    response = client.post(f"/jobs/{job_id}/{verb}", data={"csrf_token": token})
    assert response.status_code == 303
    return find_job(farm.db, response.location.removeprefix("/jobs/"), scope="")


def test_cancel(client: FlaskClient, farm: Farm) -> None:
    job = submit(client, farm)
    assert act(client, farm, job.id, "cancel").state == "canceled"


def test_retry_keeps_the_seed_and_remix_drops_it(client: FlaskClient, farm: Farm) -> None:
    job = submit(client, farm)
    finish_job(farm, job.id)
    retried, remixed = (act(client, farm, job.id, verb) for verb in ("retry", "remix"))
    assert retried.params == job.params
    assert remixed.params == {**job.params, "seed": remixed.params["seed"]}
    assert remixed.params["seed"] != 7
    assert (retried.cache, remixed.cache) == ("miss", "miss")
    assert f'href="/jobs/{job.id}"' in client.get(f"/jobs/{remixed.id}").text


def test_settings_can_be_reused(client: FlaskClient, farm: Farm) -> None:
    job = submit(client, farm, negative_prompt='"blue"', size="128x64")
    page = client.get(f"/?from={job.id}").text
    assert ">一个红色圆形</textarea>" in page
    assert "&#34;blue&#34;</textarea>" in page
    assert 'value="128x64" checked' in page
    assert 'value="7"' in page


@pytest.mark.parametrize("guidance", ["7.1234567", "7", "0.00001"])
def test_settings_are_reused_as_they_were(client: FlaskClient, farm: Farm, guidance: str) -> None:
    job = submit(client, farm, guidance_scale=guidance)
    page = client.get(f"/?from={job.id}").text
    value = re.search(r'name="guidance_scale"[^>]* value="([^"]*)"', page)
    assert value
    assert value[1] == guidance
    assert 'name="reproducible">' in page
    assert submit(client, farm, guidance_scale=value[1]).params == job.params


def test_job_as_json_is_there_for_who_is_logged_in(client: FlaskClient, farm: Farm) -> None:
    _, key = create_key(farm.db, "me")
    told = client.post("/api/v1/jobs", headers=bearer(key), json={"prompt": "a"}).json
    log_in(client, key)
    page = client.get(f"/jobs/{told['id']}").text
    assert "Bearer $MYRIAD_KEY" in unescape(page)
    assert f'href="/jobs/{told["id"]}.json"' in page
    shown = client.get(f"/jobs/{told['id']}.json")
    assert shown.mimetype == "application/json"
    assert shown.json == client.get(f"/api/v1/jobs/{told['id']}", headers=bearer(key)).json


def test_chinese_prompt_for_an_english_model_is_warned_of(client: FlaskClient, farm: Farm) -> None:
    warning = "does not read Chinese"
    job = submit(client, farm, model="english", size="512x512")
    assert warning in text(client.get(f"/jobs/{job.id}").text)
    assert warning not in text(client.get(f"/jobs/{submit(client, farm).id}").text)
    assert "reads Chinese" in text(client.get("/?model=tiny").text)


def test_gallery_pages_through_everything(client: FlaskClient, farm: Farm) -> None:
    for number in range(25):
        job = submit(client, farm, prompt=f"circle <{number}>", num_images="1")
        finish_job(farm, job.id)
    first = client.get("/gallery").text
    assert first.index("circle &lt;24&gt;") < first.index("circle &lt;23&gt;")
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    last = client.get(unescape(older[1])).text
    assert re.findall(r'alt="circle &lt;(\d+)&gt;"', last) == ["0"]
    assert 'rel="next"' not in last


def test_hostile_prompt_stays_text(client: FlaskClient, farm: Farm) -> None:
    prompt = "<script>alert(1)</script>'\"--><img src=x onerror=alert(1)>{{7*7}}\u202e"
    job = submit(client, farm, prompt=prompt, negative_prompt=prompt)
    finish_job(farm, job.id)
    for path in (f"/jobs/{job.id}", f"/?from={job.id}", "/gallery", "/"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "49" not in re.sub(r"\d{3,}|[0-9a-f]{32}", "", page) or "{{7*7}}" in page


def test_form_without_its_token_is_refused(client: FlaskClient, farm: Farm) -> None:
    job = submit(client, farm)
    for path in ("/", f"/jobs/{job.id}/cancel", f"/jobs/{job.id}/retry", "/logout"):
        assert client.post(path, data=FORM).status_code == 400
    assert find_job(farm.db, job.id, scope="").state == "queued"
