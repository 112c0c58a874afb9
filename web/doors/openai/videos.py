"""`/v1/videos`: made in the background, looked at, fetched and deleted."""

from typing import Any

from flask import Response, jsonify, request
from pydantic import ValidationError

from myriad.db.videos import list_videos
from myriad.errors import InvalidRequest, NotFound
from myriad.job import JobState
from myriad.params import invalid_request
from myriad.record import JobRecord
from web.auth import current_caller
from web.doors.openai.door import openai
from web.doors.openai.once import once
from web.doors.openai.video_request import (
    VideoQuery,
    film_request,
    given,
    read_video_request,
    remix_request,
)
from web.doors.openai.video_view import video_view, video_views
from web.farm import current_farm
from web.files import send_stored
from web.intake import accept
from web.job_request import JobRequest
from web.jobs import read_job, remove_job
from web.request import MULTIPART, StrictRequest, takes_uploads

_POLL_AFTER_MS = 1000
_REFERENCE = "input_reference"


@openai.post("/videos")
@takes_uploads
def create_video() -> Any:
    """Ask for a video."""
    fields = given(_fields())
    if _REFERENCE in {name.partition("[")[0] for name in (*fields, *request.files)}:
        raise InvalidRequest("no model of this farm starts from a picture", field=_REFERENCE)
    return _accept(film_request(read_video_request(fields)))


@openai.get("/videos")
def get_videos() -> Any:
    """List your videos."""
    try:
        query = VideoQuery.model_validate(request.args.to_dict())
    except ValidationError as error:
        raise invalid_request(error) from error
    found, has_more = list_videos(
        current_farm().db,
        scope=current_caller().sees,
        after=query.after,
        limit=query.limit,
        is_newest_first=query.order == "desc",
    )
    videos = video_views(found, current_caller())
    first, last = (videos[0]["id"], videos[-1]["id"]) if videos else (None, None)
    return {
        "object": "list",
        "data": videos,
        "first_id": first,
        "last_id": last,
        "has_more": has_more,
    }


@openai.get("/videos/<video_id>")
def get_video(video_id: str) -> Response:
    """Look at a video; clients that poll are told when to come again."""
    record = _read(video_id)
    response = jsonify(video_view(record))
    if not record.state.is_final:
        response.headers["OpenAI-Poll-After-Ms"] = str(_POLL_AFTER_MS)
    return response


@openai.delete("/videos/<video_id>")
def delete_video(video_id: str) -> Any:
    """Delete a video, ending its job if need be."""
    remove_job(_read(video_id).id, current_caller())
    return {"id": video_id, "object": "video.deleted", "deleted": True}


@openai.get("/videos/<video_id>/content")
def get_content(video_id: str) -> Response:
    """The video's file, or a still of it, whole or in ranges."""
    record = _read(video_id)
    if record.state is not JobState.SUCCEEDED:
        raise NotFound("this video is not completed")
    film, variant = record.images[0], request.args.get("variant", "video")
    if variant == "thumbnail" and film.thumbnail_key:
        return send_stored(film.thumbnail_key)
    if variant != "video":
        raise InvalidRequest("must be video or thumbnail", field="variant")
    return send_stored(film.storage_key)


@openai.post("/videos/<video_id>/remix")
def remix_video(video_id: str) -> Any:
    """Ask for the same video with another prompt."""
    return _accept(remix_request(_read(video_id), _fields().get("prompt")))


def _accept(wanted: JobRequest) -> dict[str, Any]:
    caller = current_caller()
    with once(caller) as how:
        intake = accept(wanted, caller, door="openai", **how)
    return video_view(read_job(intake.job_id, caller))


def _read(video_id: str) -> JobRecord:
    record = read_job(video_id, current_caller())
    if record.params["num_frames"] == 1:
        raise NotFound("no such video")
    return record


def _fields() -> dict[str, Any]:
    """Their client sends a form even without a file, others JSON."""
    assert isinstance(request, StrictRequest)
    if request.mimetype == MULTIPART:
        request.check_boundary()
        return request.form.to_dict()
    body = request.json_body.value
    if not isinstance(body, dict):
        raise InvalidRequest("the body must be a JSON object")
    return body
