"""A call of OpenAI's client makes one job, however often the client sends it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from sqlalchemy import select

from myriad.db.tables import JobRow
from tests.processes import wait_until
from tests.web.conftest import Site
from tests.web.drawing import finish_job, png

IMPATIENT_S = 0.7


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{site.url}/v1", api_key="any", max_retries=2) as opened:
        yield opened


def jobs(site: Site, prompt: str) -> list[str]:
    """Ids of the jobs with that prompt, oldest first."""
    query = select(JobRow.id).where(JobRow.params["prompt"].as_string() == prompt)
    with site.farm.db.read() as session:
        return list(session.scalars(query.order_by(JobRow.created_at)))


def draw(client: openai.OpenAI, prompt: str, **options: float) -> str:
    """The picture, in base64."""
    answer = client.with_options(**options).images.generate(prompt=prompt)
    assert answer.data
    return answer.data[0].b64_json or ""


def test_tries_that_run_out_of_time_make_one_job(client: openai.OpenAI, site: Site) -> None:
    with pytest.raises(openai.APITimeoutError):
        draw(client, "slow", timeout=IMPATIENT_S)
    assert len(jobs(site, "slow")) == 1


def test_a_later_try_gets_the_picture_of_the_first(client: openai.OpenAI, site: Site) -> None:
    with ThreadPoolExecutor() as pool:
        picture = pool.submit(draw, client, "late", timeout=2.0)
        wait_until(lambda: len(jobs(site, "late")) == 1)
        with pytest.raises(openai.APITimeoutError):
            draw(client, "never", timeout=2.0, max_retries=0)  # as long as the first try
        finish_job(site.farm, jobs(site, "late")[0])
        assert picture.result(timeout=30)
    assert len(jobs(site, "late")) == 1


def test_the_same_call_made_again_is_another_job(client: openai.OpenAI, site: Site) -> None:
    with ThreadPoolExecutor() as pool:
        pictures = [pool.submit(draw, client, "twice", timeout=30.0) for _ in range(2)]
        wait_until(lambda: len(jobs(site, "twice")) == 2)
        for job_id in jobs(site, "twice"):
            finish_job(site.farm, job_id)
        assert all(picture.result(timeout=30) for picture in pictures)
    assert len(jobs(site, "twice")) == 2


def test_a_call_may_bring_its_own_name(client: openai.OpenAI, site: Site) -> None:
    named = {"Idempotency-Key": "mine"}
    for _ in range(2):
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=IMPATIENT_S, max_retries=0).images.generate(
                prompt="named", extra_headers=named
            )
    assert len(jobs(site, "named")) == 1
    with pytest.raises(openai.UnprocessableEntityError):
        client.images.generate(prompt="another", extra_headers=named)


def test_a_name_goes_for_one_picture_only(client: openai.OpenAI, site: Site) -> None:
    def change(gray: int) -> None:
        with client.with_options(timeout=10, max_retries=0).images.edit(
            image=("a.png", png(gray)),
            prompt="changed",
            stream=True,
            extra_headers={"Idempotency-Key": "this picture"},
        ):
            pass

    change(10)
    change(10)
    assert len(jobs(site, "changed")) == 1
    with pytest.raises(openai.UnprocessableEntityError):
        change(20)
