"""`POST /prompt`: a graph becomes a job."""

from hashlib import sha256
from typing import Any

from flask import Response, jsonify, request

from myriad.db.intake import Intake
from myriad.errors import InvalidRequest
from web.auth import Caller, current_caller
from web.doors.comfyui.blueprint import body, route
from web.doors.comfyui.graph import Graph
from web.doors.comfyui.mask import mask_png
from web.doors.comfyui.offer import offer_of
from web.doors.comfyui.plan import Plan, plan_of
from web.doors.comfyui.ticket import Ticket, is_client_id, prompt_id_of
from web.farm import current_farm
from web.intake import accept
from web.jobs import read_job
from web.request import StrictRequest

DOOR = "comfyui"
_LOADERS = {"model": "CheckpointLoaderSimple", "image": "LoadImage", "mask": "LoadImage"}


@route("/prompt", "POST")
def post_prompt() -> Response:
    """Queue a graph. Answers at once, with the id to ask and listen for."""
    asked, caller = body(), current_caller()
    catalog = current_farm().catalog
    graph = Graph(asked.get("prompt"), offer_of(catalog))
    plan = plan_of(graph, catalog)
    ticket = _ticket(asked, plan)
    try:
        intake = _accepted(plan, ticket, caller)
    except InvalidRequest as error:
        raise graph.refused(_culprit(graph, plan, error), _told(error)) from error
    record = read_job(intake.job_id, caller)
    number = int(record.created_at.timestamp())
    return jsonify(prompt_id=prompt_id_of(record), number=number, node_errors={})


def idempotency_key(prompt_id: str) -> str:
    """What a client's own id is kept under."""
    return f"comfyui:{prompt_id}"


def _accepted(plan: Plan, ticket: Ticket, caller: Caller) -> Intake:
    parts = {"mask": (mask_png(plan.mask, caller),)} if plan.mask else {}
    assert isinstance(request, StrictRequest)
    return accept(
        plan.asked(ticket.labels()),
        caller,
        parts=parts,
        idempotency_key=idempotency_key(ticket.prompt_id) if ticket.prompt_id else None,
        request_digest=sha256(request.untyped_json.digest.encode()).hexdigest(),
        door=DOOR,
    )


def _ticket(asked: dict[str, Any], plan: Plan) -> Ticket:
    return Ticket(
        client=_id(asked, "client_id"),
        prompt_id=_id(asked, "prompt_id"),
        sampler=plan.sampler,
        decoder=plan.decoder,
        outputs=plan.outputs,
        previews=plan.previews,
    )


def _id(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not is_client_id(value):
        raise InvalidRequest("must be a short printable ASCII text", field=name)
    return value


def _culprit(graph: Graph, plan: Plan, error: InvalidRequest) -> str:
    """The node to blame for what the farm does not take: its loader, else the sampler."""
    kind = _LOADERS.get(error.field or "")
    return next((node for node, each in graph.kinds.items() if each == kind), plan.sampler)


def _told(error: InvalidRequest) -> str:
    return f"{error.field}: {error.message}" if error.field else error.message
