"""A job while it is drawn, and a video when it is: previews, notes, ranges."""

import re
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from myriad.db.commit import advance, finish
from myriad.db.jobs import find_job
from myriad.db.keys import create_key
from myriad.db.tables import ImageRow, JobRow
from myriad.farm import Farm
from myriad.job import Stage
from tests.web.bombs import picture
from tests.web.conftest import OpenApp
from tests.web.drawing import finish_job, take
from tests.web.test_pages import text

JOBS = "/api/v1/jobs"
JPEG = picture("JPEG")
MP4 = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 4


def ask(client: FlaskClient, **fields: object) -> str:
    response = client.post(JOBS, json={"prompt": "a circle", **fields})
    assert response.status_code == 201, response.text
    return str(response.json["id"])


def finish_video(farm: Farm, job_id: str) -> None:
    """As a worker does, with bytes that only look like a video."""
    for stage in (Stage.ENCODE, Stage.DENOISE):
        assert advance(farm.db, take(farm, job_id, stage), f"{stage}-out")
    farm.storage.put("images/a.mp4", MP4, "video/mp4")
    farm.storage.put("images/a-thumbnail.webp", picture("WEBP"), "image/webp")
    row = ImageRow(
        index=0,
        storage_key="images/a.mp4",
        thumbnail_key="images/a-thumbnail.webp",
        sha256="0" * 64,
        size_bytes=len(MP4),
        content_type="video/mp4",
        seed=1,
        width=64,
        height=64,
        num_frames=9,
        fps=8,
    )
    assert finish(farm.db, take(farm, job_id, Stage.DECODE), [row])


def test_a_preview_is_shown_while_the_job_runs(client: FlaskClient, farm: Farm) -> None:
    job_id = ask(client)
    paths = (f"{JOBS}/{job_id}/preview", f"/jobs/{job_id}/preview")
    farm.signals.set_preview(job_id, JPEG)
    assert [client.get(path).status_code for path in paths] == [404, 404]
    take(farm, job_id, Stage.ENCODE)
    for path in paths:
        response = client.get(path)
        assert (response.content_type, response.data) == ("image/jpeg", JPEG)
        assert response.headers["Cache-Control"] == "no-store"
    assert client.get(f"{JOBS}/{job_id}").json["urls"]["preview"].endswith(paths[0])
    client.post(f"{JOBS}/{job_id}/cancel")
    assert [client.get(path).status_code for path in paths] == [404, 404]


def test_the_page_shows_the_newest_preview(client: FlaskClient, farm: Farm) -> None:
    job_id = ask(client)
    take(farm, job_id, Stage.ENCODE)
    assert 'class="preview"' not in client.get(f"/jobs/{job_id}/panel").text
    seen = []
    for kind in ("JPEG", "PNG"):
        farm.signals.set_preview(job_id, picture(kind))
        source = re.search(
            r'class="preview" id="preview" src="([^"]+)"', client.get(f"/jobs/{job_id}/panel").text
        )
        assert source
        seen.append(unescape(source[1]))
        assert client.get(seen[-1]).data == picture(kind)
    assert seen[0] != seen[1]


def test_a_job_that_joined_shows_its_leader_s_preview(client: FlaskClient, farm: Farm) -> None:
    leader, joined = ask(client), ask(client)
    take(farm, leader, Stage.ENCODE)
    farm.signals.set_preview(leader, JPEG)
    assert client.get(f"{JOBS}/{joined}/preview").data == JPEG


def test_a_preview_is_its_owner_s(open_app: OpenApp, farm: Farm) -> None:
    client = open_app().test_client()
    (_, mine), (_, yours) = (create_key(farm.db, name) for name in ("mine", "yours"))
    headers = {"Authorization": f"Bearer {mine}"}
    job_id = client.post(JOBS, json={"prompt": "a"}, headers=headers).json["id"]
    take(farm, job_id, Stage.ENCODE)
    farm.signals.set_preview(job_id, JPEG)
    path = f"{JOBS}/{job_id}/preview"
    assert client.get(path, headers=headers).status_code == 200
    assert client.get(path, headers={"Authorization": f"Bearer {yours}"}).status_code == 404
    assert client.get(path).status_code == 401
    assert client.get(f"/jobs/{job_id}/preview").status_code == 303  # to the login


def test_a_video_is_shown_as_one(client: FlaskClient, farm: Farm) -> None:
    job_id = ask(client, model="film", num_frames=9)
    finish_video(farm, job_id)
    [view] = client.get(f"{JOBS}/{job_id}").json["output"]
    assert (view["num_frames"], view["fps"], view["content_type"]) == (9, 8, "video/mp4")
    page = client.get(f"/jobs/{job_id}")
    tag = re.search(r"<video [^>]*>", page.text)
    assert tag
    assert "autoplay" not in tag[0]
    for word in ("controls", "muted", "loop", "playsinline"):
        assert f" {word}" in tag[0]
    poster = re.search(r'poster="([^"]+)"', tag[0])
    assert poster
    assert client.get(unescape(poster[1])).content_type == "image/webp"
    policy = page.headers["Content-Security-Policy"]
    assert "media-src 'self'" in policy
    gallery = client.get("/gallery").text
    assert "▶" in gallery


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-", 0, None), ("bytes=100-199", 100, 200), ("bytes=-10", -10, None)],
)
def test_a_video_is_served_in_parts(
    client: FlaskClient, farm: Farm, asked: str, start: int, end: int | None
) -> None:
    job_id = ask(client, model="film", num_frames=9)
    finish_video(farm, job_id)
    url = client.get(f"{JOBS}/{job_id}").json["output"][0]["url"]
    whole = client.get(url)
    assert (whole.status_code, whole.data, whole.content_type) == (200, MP4, "video/mp4")
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Content-Disposition"] == "inline; filename=a.mp4"
    part = client.get(url, headers={"Range": asked})
    assert (part.status_code, part.data) == (206, MP4[start:end])
    assert client.get(url, headers={"Range": "bytes=9999-"}).status_code == 416


def test_notes_are_shown(client: FlaskClient, farm: Farm) -> None:
    job_id = ask(client)
    assert client.get(f"{JOBS}/{job_id}").json["notes"] == []
    notes = ["out_of_memory: fewer rows", "<b>out_of_memory</b>: tiling"]
    with farm.db.write() as session:
        session.execute(update(JobRow).where(JobRow.id == job_id).values(notes=notes))
    finish_job(farm, job_id)
    assert client.get(f"{JOBS}/{job_id}").json["notes"] == notes
    page = client.get(f"/jobs/{job_id}").text
    assert "out_of_memory: fewer rows" in text(page)
    assert "<b>out" not in page
    assert find_job(farm.db, job_id, scope="").notes == tuple(notes)
