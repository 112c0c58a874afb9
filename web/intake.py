"""From a checked request to a durable job: the one way in for every door."""

from collections.abc import Mapping
from typing import Any

from myriad.address import check_webhook_url
from myriad.cache_key import fingerprints
from myriad.db.intake import Intake, submit
from myriad.job import EventKind
from myriad.model import Model
from myriad.params import GenerationParams
from myriad.resolve import resolve
from myriad.submission import Submission
from web.auth import Caller
from web.farm import admission, current_farm, nudge_dispatch
from web.inputs import Inputs
from web.job_request import JobRequest
from web.own_size import own_size
from web.picture_fields import Parts, with_digests


def accept(
    asked: JobRequest,
    caller: Caller,
    *,
    parts: Parts | None = None,
    idempotency_key: str | None = None,
    request_digest: str = "",
    door: str = "native",
) -> Intake:
    """Check `asked` against its model, commit it, and have it dispatched.

    `parts` are pictures that came beside it; `door` names the interface. Raises
    InvalidRequest naming the field, IdempotencyMismatch, RateLimited, Unavailable.
    """
    farm = current_farm()
    model = farm.catalog.find(asked.model)
    farm.check_served(model)
    inputs = Inputs(caller)
    params = _params(asked, parts or {}, model, inputs)
    if asked.webhook is not None:
        check_webhook_url(asked.webhook, farm.settings.webhook_allow)
    submission = Submission(
        model=model,
        params=params,
        weights=fingerprints(params, model, farm.catalog),
        seed_given=asked.seed is not None,
        use_cache=asked.cache,
        priority=asked.priority,
        deadline_s=asked.deadline_s,
        metadata=asked.metadata,
        webhook=asked.webhook,
        webhook_events_filter=tuple(EventKind(kind) for kind in asked.webhook_events_filter),
        api_key_id=caller.key_id,
        door=door,
        is_cache_shared=farm.settings.shared_cache,
        idempotency_key=idempotency_key,
        request_hash=request_digest,
    )
    inputs.keep()
    intake = submit(
        farm.db,
        submission,
        idempotency_ttl_s=farm.settings.idempotency_ttl_s,
        limit=admission().limit(model, asked.deadline_s),
    )
    nudge_dispatch()
    return intake


def _params(asked: JobRequest, parts: Parts, model: Model, inputs: Inputs) -> GenerationParams:
    values = with_digests(asked.params(), parts, inputs)
    params = resolve(_sized(values, model, inputs), model, current_farm().catalog)
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
