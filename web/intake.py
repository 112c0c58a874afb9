"""From a checked request to a durable job: the one way in for every door."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog

from myriad.address import check_webhook_url
from myriad.cache_key import fingerprints
from myriad.db.idempotency import find_replay
from myriad.db.intake import Intake, submit
from myriad.fault import fault
from myriad.job import EventKind
from myriad.key import Scope
from myriad.model import Model
from myriad.params import GenerationParams
from myriad.resolve import resolve
from myriad.submission import Submission
from web.auth import Caller
from web.farm import admission, current_farm, nudge_dispatch
from web.inputs import Inputs
from web.job_request import JobRequest
from web.limits import allowance_of, refusals_counted
from web.observe import current_traceparent, keep_quiet
from web.own_size import own_size
from web.picture_fields import Parts, with_digests


def accept(
    asked: JobRequest,
    caller: Caller,
    *,
    parts: Parts | None = None,
    idempotency_key: str | None = None,
    request_digest: str = "",
    idempotency_ttl_s: float | None = None,
    rebinds_key: bool = False,
    door: str = "native",
) -> Intake:
    """Check `asked` against its model, commit it, and have it dispatched.

    `parts` are pictures that came beside it; `door` names the interface. Raises
    InvalidRequest or Forbidden naming the field, IdempotencyMismatch, Conflict,
    RateLimited, Unavailable.
    """
    keep_quiet(prompt=asked.prompt, negative=asked.negative_prompt, webhook=asked.webhook)
    farm = current_farm()
    old_key = None if rebinds_key else idempotency_key
    if old_key and (known := _replay(caller, old_key, request_digest)):
        return known
    inputs = Inputs(caller)
    submission = replace(
        checked(asked, caller, inputs, parts),
        door=door,
        idempotency_key=idempotency_key,
        request_hash=request_digest,
        rebinds_key=rebinds_key,
    )
    inputs.keep()
    with refusals_counted():
        intake = submit(
            farm.db,
            submission,
            idempotency_ttl_s=idempotency_ttl_s or farm.settings.idempotency_ttl_s,
            limit=admission().limit(submission.model, asked.deadline_s),
            allowance=allowance_of(caller),
        )
    structlog.contextvars.bind_contextvars(job=intake.job_id)
    fault("after_commit_before_publish")
    nudge_dispatch()
    return intake


def checked(
    asked: JobRequest, caller: Caller, inputs: Inputs, parts: Parts | None = None
) -> Submission:
    """What `asked` comes to with its model; pictures it brings are in `inputs`, not yet kept.

    Raises InvalidRequest or Forbidden naming the field.
    """
    farm = current_farm()
    if asked.priority > 0:
        caller.check(Scope.PRIORITY, field="priority")
    model = farm.catalog.find(asked.model)
    params = _params(asked, parts or {}, model, inputs)
    if asked.webhook is not None:
        check_webhook_url(asked.webhook, farm.settings.webhook_allow)
    return Submission(
        model=model,
        params=params,
        weights=fingerprints(params, model, farm.catalog) | farm.settings.labels,
        seed_given=asked.seed is not None,
        use_cache=asked.cache,
        priority=asked.priority,
        deadline_s=asked.deadline_s,
        metadata=asked.metadata,
        webhook=asked.webhook,
        webhook_events_filter=tuple(EventKind(kind) for kind in asked.webhook_events_filter),
        api_key_id=caller.key_id,
        traceparent=current_traceparent(),
        is_cache_shared=farm.settings.shared_cache,
    )


def _replay(caller: Caller, key: str, digest: str) -> Intake | None:
    """What the key already made, whatever has become of models and inputs since."""
    job_id = find_replay(current_farm().db, scope=caller.scope, key=key, request_hash=digest)
    if job_id is None:
        return None
    nudge_dispatch()  # the first request may have been cut off before it did
    return Intake(job_id, is_replay=True)


def _params(asked: JobRequest, parts: Parts, model: Model, inputs: Inputs) -> GenerationParams:
    values = with_digests(asked.params(), parts, inputs)
    params = resolve(_sized(values, model, inputs), model, current_farm().catalog)
    current_farm().blocked.check(params.prompt)
    inputs.check(params.inputs)
    return params


def _sized(values: Mapping[str, Any], model: Model, inputs: Inputs) -> dict[str, Any]:
    """The values, with the size of the picture to change where none is asked for."""
    image, is_sized = values.get("image"), values.get("width") or values.get("height")
    size = None if is_sized or image is None else inputs.size_of(image)
    if size is None:
        return dict(values)
    width, height = own_size(*size, model.limits)
    return {**values, "width": width, "height": height}
