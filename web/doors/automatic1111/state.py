"""Routes on what goes on and what is chosen: progress, interrupt, options."""

from typing import Any

from flask import Response, jsonify, request

from myriad.db.live import LiveJob, live_jobs
from myriad.errors import InvalidRequest, NotFound
from myriad.job import JobState
from web.auth import current_caller
from web.doors.automatic1111.blueprint import automatic1111
from web.doors.automatic1111.checkpoint import CHECKPOINT, choose_model, chosen_model
from web.doors.automatic1111.drawing import DOOR
from web.doors.automatic1111.progress import idle_view, progress_view
from web.farm import current_farm
from web.jobs import end_jobs, read_job

_TRUE = ("1", "true", "on", "yes")


@automatic1111.get("/v1/progress")
def progress() -> Response:
    """How far the caller's jobs of this door are; another's are none of its business."""
    skips = request.args.get("skip_current_image", "").lower() in _TRUE
    jobs = _live()
    try:
        current = read_job(jobs[0].id if jobs else "", current_caller())
    except NotFound:  # there is none, or it was deleted in this very moment
        return jsonify(idle_view())
    return jsonify(progress_view(current, len(jobs), has_image=not skips))


@automatic1111.post("/v1/interrupt")
def interrupt() -> Response:
    """End the caller's running jobs of this door; if none runs yet, the one that goes next."""
    jobs = _live()
    running = [job for job in jobs if job.state is JobState.RUNNING]
    end_jobs([job.id for job in running or jobs[:1]], current_caller())
    return jsonify({})


@automatic1111.post("/v1/skip")
def skip() -> Response:
    """The same: a job's pictures are drawn together, so there is none to go on with."""
    interrupt()
    return jsonify(None)


@automatic1111.get("/v1/options")
def get_options() -> Response:
    """The caller's own. No `forge_preset`: some clients take that for another program."""
    return jsonify(
        {
            CHECKPOINT: chosen_model(current_caller()).name,
            "sd_checkpoint_hash": "",
            "sd_vae": "Automatic",
            "samples_format": "png",
            "CLIP_stop_at_last_layers": 1,
            "eta_noise_seed_delta": 0,
            "live_previews_enable": True,
        }
    )


@automatic1111.post("/v1/options")
def set_options() -> Response:
    """Choose the model. All other options are taken and change nothing."""
    values: Any = request.get_json()
    if not isinstance(values, dict):
        raise InvalidRequest("the body must be an object")
    if values.get(CHECKPOINT):
        choose_model(values[CHECKPOINT], current_caller())
    return jsonify(None)


def _live() -> list[LiveJob]:
    """The caller's own jobs of this door that have not ended; the first is the current one."""
    return live_jobs(current_farm().db, scope=current_caller().scope, door=DOOR)
