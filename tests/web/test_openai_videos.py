"""OpenAI's own client asks for videos; the test plays the worker."""

from collections.abc import Iterator

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myriad.db.cancel import cancel_job
from myriad.db.jobs import find_job
from myriad.job import Stage
from myriad.model import Limits
from tests.web.conftest import Site
from tests.web.drawing import fail_job, png, take
from tests.web.test_preview import MP4, finish_video
from web.app import FrontEnd
from web.auth import Caller
from web.doors.openai.video_request import nearest_frames
from web.doors.openai.video_view import video_views

# They announce the end of their own service, not of the interface.
pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{site.url}/v1", api_key="any") as opened:
        yield opened


def create(client: openai.OpenAI, prompt: str, **more: object) -> openai.types.Video:
    return client.videos.create(prompt=prompt, model="sora-2", **more)


def test_a_video_is_made_fetched_and_deleted(client: openai.OpenAI, site: Site) -> None:
    video = create(client, "waves", size="1280x720", seconds="4")
    # 17 frames at 8 a second are what the model can, and its own number of pixels, wide.
    assert (video.status, video.progress, video.model) == ("queued", 0, "film")
    assert (video.seconds, video.size, video.prompt) == ("2.125", "112x64", "waves")
    with pytest.raises(openai.NotFoundError, match="not completed"):
        client.videos.download_content(video.id)
    with pytest.raises(openai.ConflictError):
        client.with_options(max_retries=0).videos.remix(video.id, prompt="rain")
    finish_video(site.farm, video.id)
    done = client.videos.poll(video.id)
    assert (done.status, done.progress, done.error) == ("completed", 100, None)
    assert client.videos.download_content(video.id).read() == MP4
    assert client.videos.download_content(video.id, variant="thumbnail").read()[8:12] == b"WEBP"
    remix = client.videos.remix(video.id, prompt="rain")
    assert (remix.remixed_from_video_id, remix.prompt) == (video.id, "rain")
    seeds = {find_job(site.farm.db, one.id, scope=None).params["seed"] for one in (video, remix)}
    assert len(seeds) == 1
    assert client.videos.delete(video.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(video.id)


def test_whoever_polls_is_told_when_to_come_again(client: openai.OpenAI, site: Site) -> None:
    video = create(client, "clouds")
    take(site.farm, video.id, Stage.ENCODE)
    raw = client.videos.with_raw_response.retrieve(video.id)
    assert raw.headers["openai-poll-after-ms"] == "1000"
    assert raw.parse().status == "in_progress"


def test_a_video_that_is_not_to_be_fails(client: openai.OpenAI, site: Site) -> None:
    canceled, failed = create(client, "smoke"), create(client, "fire")
    cancel_job(site.farm.db, canceled.id, scope=None)
    fail_job(site.farm, failed.id)
    for video, code in ((canceled, "canceled"), (failed, "non_finite_output")):
        seen = client.videos.retrieve(video.id)
        assert (seen.status, seen.error and seen.error.code) == ("failed", code)


def test_videos_are_listed_page_by_page_without_pictures(client: openai.OpenAI, site: Site) -> None:
    httpx.post(f"{site.url}/api/v1/jobs", json={"prompt": "a circle"}, trust_env=False)
    made = [create(client, f"number {count}").id for count in range(3)]
    newest = [video.id for video in client.videos.list(limit=2)]
    assert newest[:3] == made[::-1]
    assert len(newest) == len(set(newest))
    listed = [find_job(site.farm.db, job_id, scope=None) for job_id in newest]
    assert all(record.params["num_frames"] > 1 for record in listed)
    oldest = [video.id for video in client.videos.list(order="asc", limit=100)]
    assert oldest == newest[::-1]
    page = client.videos.list(after=made[1], limit=1)
    assert page.has_more
    assert [video.id for video in page.data] == [made[0]]
    with pytest.raises(openai.BadRequestError):
        client.videos.list(after="0" * 32)


def test_a_video_deleted_while_they_are_listed_is_left_out(module_app: FrontEnd) -> None:
    http = module_app.test_client()
    found = [http.post("/v1/videos", json={"prompt": text}).json["id"] for text in ("a", "b")]
    assert http.delete(f"/v1/videos/{found[1]}").status_code == 200
    with module_app.app_context():
        assert [view["id"] for view in video_views(found, Caller(None))] == found[:1]


def test_no_opinion_on_a_picture_to_start_from_is_none(client: openai.OpenAI) -> None:
    for nothing in (None, ""):
        asked = {"prompt": "waves", "model": "sora-2", "input_reference": nothing}
        assert client.post("/videos", body=asked, cast_to=openai.types.Video).status == "queued"


def test_a_label_of_another_door_makes_no_remix(client: openai.OpenAI, site: Site) -> None:
    asked = {"prompt": "waves", "model": "film", "num_frames": 5}
    labels = {"metadata": {"remixed_from": "order 66"}}
    job = httpx.post(f"{site.url}/api/v1/jobs", json={**asked, **labels}, trust_env=False).json()
    assert client.videos.retrieve(job["id"]).remixed_from_video_id is None


def test_what_cannot_be_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.videos.create(prompt="waves", input_reference=("a.png", png()))
    assert refused.value.param == "input_reference"
    asked = {"prompt": "waves", "input_reference": {"image_url": "https://x/a.png"}}
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/videos", body=asked, cast_to=object)
    assert refused.value.param == "input_reference"
    with pytest.raises(openai.BadRequestError) as refused:
        client.videos.create(prompt="waves", model="tiny")
    assert refused.value.param == "model"
    with pytest.raises(openai.NotFoundError):
        client.videos.create(prompt="waves", model="nothing")
    for seconds in ("long", "0", "-1", "inf"):
        with pytest.raises(openai.BadRequestError) as refused:
            client.videos.create(prompt="waves", seconds=seconds)
        assert refused.value.param == "seconds"
    assert client.models.retrieve("sora-2").id == "film"


@given(
    frames=st.floats(0, 1e6),
    limits=st.builds(
        Limits, max_frames=st.integers(2, 400), frame_multiple=st.integers(1, 8)
    ).filter(lambda limits: limits.max_frames > limits.frame_multiple),
)
def test_a_length_is_the_nearest_that_the_model_can(frames: float, limits: Limits) -> None:
    found = nearest_frames(frames, limits)
    possible = [number for number in range(2, limits.max_frames + 1) if limits.takes_frames(number)]
    assert found in possible
    assert abs(found - frames) == min(abs(number - frames) for number in possible)
