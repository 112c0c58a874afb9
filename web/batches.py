"""Batches: taking many jobs in at once, looking at them, ending them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import structlog

from myriad.address import check_webhook_url
from myriad.batch import BatchRecord, batch_view
from myriad.db.batch_intake import BatchIntake, BatchSubmission, find_batch_replay, submit_batch
from myriad.db.batches import begin_cancel, find_batch
from myriad.errors import RequestError
from myriad.fault import fault
from myriad.submission import Submission
from web.auth import Caller
from web.farm import admission, current_farm, nudge_dispatch
from web.inputs import Inputs
from web.intake import checked
from web.job_request import JobRequest
from web.jobs import end_jobs
from web.limits import allowance_of, refusals_counted
from web.links import base_url
from web.observe import keep_quiet


class Asked(Protocol):
    """One job of a batch, as it was asked for."""

    def read(self) -> JobRequest:
        """The request. Raises InvalidRequest."""
        ...

    def blamed(self, error: RequestError) -> RequestError:
        """The error, telling which job of the batch is meant."""
        ...


def accept_batch(
    asked: Iterable[Asked],
    caller: Caller,
    *,
    metadata: Mapping[str, str],
    webhook: str | None,
    idempotency_key: str | None,
    request_digest: str,
) -> BatchIntake:
    """Check every job, commit them all or none, and have them dispatched.

    Raises InvalidRequest or Forbidden naming the job and its field, IdempotencyMismatch,
    Conflict, RateLimited, Unavailable.
    """
    keep_quiet(webhook=webhook)
    farm = current_farm()
    if webhook is not None:
        check_webhook_url(webhook, farm.settings.webhook_allow)
    inputs = Inputs(caller)
    jobs = _checked(asked, caller, inputs)
    jobs[0] = replace(jobs[0], idempotency_key=idempotency_key, request_hash=request_digest)
    inputs.keep()
    with refusals_counted():
        intake = submit_batch(
            farm.db,
            BatchSubmission(jobs, metadata, webhook),
            idempotency_ttl_s=farm.settings.idempotency_ttl_s,
            limits=[admission().limit(job.model, job.deadline_s) for job in jobs],
            allowance=allowance_of(caller),
        )
    structlog.contextvars.bind_contextvars(batch=intake.batch_id)
    fault("after_commit_before_publish")
    nudge_dispatch()
    return intake


def batch_under_key(caller: Caller, key: str, digest: str) -> BatchIntake | None:
    """What the key already made, whatever has become of models and inputs since."""
    db = current_farm().db
    batch_id = find_batch_replay(db, scope=caller.scope, key=key, request_hash=digest)
    if batch_id is None:
        return None
    nudge_dispatch()  # the first request may have been cut off before it did
    return BatchIntake(batch_id, is_replay=True)


def read_batch(batch_id: str, caller: Caller) -> BatchRecord:
    """The caller's batch. Raises NotFound, also for another's."""
    structlog.contextvars.bind_contextvars(batch=batch_id)
    return find_batch(current_farm().db, batch_id, scope=caller.sees)


def view_batch(record: BatchRecord) -> dict[str, Any]:
    """The batch as the native API shows it."""
    return batch_view(record, base_url=base_url())


def cancel_batch(batch_id: str, caller: Caller) -> BatchRecord:
    """Cancel all its jobs that have not ended, and say how it stands now. Raises NotFound."""
    end_jobs(begin_cancel(current_farm().db, batch_id, scope=caller.sees), caller)
    return read_batch(batch_id, caller)


def _checked(asked: Iterable[Asked], caller: Caller, inputs: Inputs) -> list[Submission]:
    pairs = [(each, each.read()) for each in asked]
    keep_quiet(**_texts([request for _, request in pairs]))
    return [_one(each, request, caller, inputs) for each, request in pairs]


def _one(each: Asked, request: JobRequest, caller: Caller, inputs: Inputs) -> Submission:
    try:
        return checked(request, caller, inputs)
    except RequestError as error:
        raise each.blamed(error) from None


def _texts(requests: Sequence[JobRequest]) -> dict[str, str | None]:
    """What no line of the log may hold."""
    texts = {
        text for each in requests for text in (each.prompt, each.negative_prompt, each.webhook)
    }
    return {str(number): text for number, text in enumerate(texts)}
