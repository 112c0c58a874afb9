"""`/history` and `/queue`: what was drawn and what is to be, as ComfyUI lists it."""

from typing import Any

from flask import Response, jsonify, request

from myriad.db.live import LiveJob, count_live
from myriad.job import JobState
from myriad.record import JobRecord
from myriad.state_words import STATE_WORDS
from web.auth import current_caller
from web.doors.comfyui.blueprint import body, route
from web.doors.comfyui.event import beginning_of, ending_of
from web.doors.comfyui.file_name import output_names
from web.doors.comfyui.finding import find, finished, live
from web.doors.comfyui.prompting import DOOR
from web.doors.comfyui.ticket import images_of, prompt_id_of, ticket_of
from web.farm import current_farm
from web.jobs import end_jobs

_MOST = 100


@route("/history", "GET")
def get_history() -> Response:
    """The caller's last finished graphs by id, at most a hundred."""
    limit = min(request.args.get("max_items", _MOST, type=int), _MOST)
    jobs = finished(current_caller(), limit) if limit > 0 else []
    return jsonify(dict(_entry(job) for job in jobs))


@route("/history/<prompt_id>", "GET")
def get_history_of(prompt_id: str) -> Response:
    """One graph's, empty until it is finished."""
    job = find(prompt_id, current_caller())
    if job is None or not job.state.is_final:
        return jsonify({})
    _, entry = _entry(job)
    return jsonify({prompt_id: entry})


@route("/prompt", "GET")
def get_prompt() -> Response:
    """How many of the caller's graphs are to be drawn yet."""
    remaining = count_live(current_farm().db, scope=current_caller().scope, door=DOOR)
    return jsonify(exec_info={"queue_remaining": remaining})


@route("/queue", "GET")
def get_queue() -> Response:
    """The caller's running and waiting graphs."""
    jobs = live(current_caller())
    running = [_item(job) for job in jobs if job.state is JobState.RUNNING]
    waiting = [_item(job) for job in jobs if job.state is JobState.QUEUED]
    return jsonify(queue_running=running, queue_pending=waiting)


@route("/queue", "POST")
def post_queue() -> Response:
    """Take waiting graphs out of the queue: all with `clear`, or those `delete` lists."""
    asked, caller = body(), current_caller()
    named = asked.get("delete")
    wanted = {each for each in named if isinstance(each, str)} if isinstance(named, list) else set()
    waiting = [job for job in live(caller) if job.state is JobState.QUEUED]
    if asked.get("clear") is not True:
        waiting = [job for job in waiting if prompt_id_of(job) in wanted]
    # The last first: else each would hand its run over to the next that is about to end.
    end_jobs([job.id for job in reversed(waiting)], caller)
    return Response(status=200)


@route("/interrupt", "POST")
def post_interrupt() -> Response:
    """Stop what the caller has running through this door, or only the graph that is named."""
    caller, named = current_caller(), body().get("prompt_id")
    running = [job for job in live(caller) if job.state is JobState.RUNNING]
    end_jobs([job.id for job in running if named in (None, "", prompt_id_of(job))], caller)
    return Response(status=200)


def _entry(job: JobRecord) -> tuple[str, dict[str, Any]]:
    is_done = job.state is JobState.SUCCEEDED
    return prompt_id_of(job), {
        "prompt": _item(job),
        "outputs": images_of(job, output_names(job)) if is_done else {},
        "status": {
            "status_str": STATE_WORDS[job.state].comfyui,
            "completed": is_done,
            "messages": [list(each) for each in (*beginning_of(job), *ending_of(job))],
        },
        "meta": {},
    }


def _item(job: JobRecord | LiveJob) -> list[Any]:
    """`[number, id, graph, extra, outputs]`; the graph itself is not kept."""
    ticket = ticket_of(job)
    extra = {"client_id": ticket.client} if ticket.client else {}
    number = int(job.created_at.timestamp())
    return [number, prompt_id_of(job), {}, extra, list(ticket.outputs)]
