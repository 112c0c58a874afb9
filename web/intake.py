"""From a checked request to a durable job: the one way in for every door."""

from myriad.address import check_webhook_url
from myriad.db.intake import Intake, submit
from myriad.job import EventKind
from myriad.params import resolve
from myriad.submission import Submission
from web.auth import Caller
from web.farm import current_farm, nudge_dispatch
from web.job_request import JobRequest


def accept(
    asked: JobRequest,
    caller: Caller,
    *,
    idempotency_key: str | None = None,
    request_digest: str = "",
) -> Intake:
    """Check `asked` against its model, commit it, and have it dispatched.

    Raises InvalidRequest naming the field, IdempotencyMismatch, Unavailable.
    """
    farm = current_farm()
    model = farm.catalog.find(asked.model)
    farm.check_served(model)
    params = resolve(asked.params(), model)
    if asked.webhook is not None:
        check_webhook_url(asked.webhook, farm.settings.webhook_allow)
    submission = Submission(
        model=model,
        params=params,
        seed_given=asked.seed is not None,
        use_cache=asked.cache,
        priority=asked.priority,
        metadata=asked.metadata,
        webhook=asked.webhook,
        webhook_events_filter=tuple(EventKind(kind) for kind in asked.webhook_events_filter),
        api_key_id=caller.key_id,
        is_cache_shared=farm.settings.shared_cache,
        idempotency_key=idempotency_key,
        request_hash=request_digest,
    )
    intake = submit(farm.db, submission, idempotency_ttl_s=farm.settings.idempotency_ttl_s)
    nudge_dispatch()
    return intake
