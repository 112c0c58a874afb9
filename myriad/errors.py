"""Every error Myriad names, in one tree.

MyriadError                     anything we raise on purpose
├── ConfigError                 the farm's own settings, catalogue or pools are wrong
├── RequestError                the caller can mend it: a 4xx answer
│   ├── InvalidRequest          a field has a value we do not take
│   │   └── ContentRefused      the prompt asks for what the operator will not have drawn
│   ├── UnsupportedMediaType    the body is not of a content type we read
│   ├── BodyTooLarge            the body is larger than the farm reads
│   ├── Unauthorized            no API key, or one that is not valid
│   ├── Forbidden               a valid key without the scope
│   ├── NotFound                no such thing, or not the caller's
│   ├── MethodNotAllowed        the route exists, not with this method
│   ├── Conflict                the thing's state does not allow it
│   │   └── JobCanceled         the job ended before there was a picture
│   ├── IdempotencyMismatch     the key was used with another body
│   └── RateLimited             too much at once: try again later
│       ├── TooManyJobs         the key has as many jobs waiting as it may
│       └── QuotaExceeded       the key has used up what it may ask for today
├── Unavailable                 a part we depend on is away: try again later
│   ├── DatabaseUnavailable     the database does not answer
│   ├── BrokerUnavailable       Redis or Valkey does not answer
│   ├── StorageUnavailable      the object store does not answer
│   │   └── ObjectDamaged       it answers, with other bytes than were stored
│   ├── Overloaded              the farm has too much to do to be in time
│   └── Busy                    no place to wait at is left for the caller: try again later
├── StillRunning                the answer was held for as long as it may be; the job goes on
├── StageError                  a stage could not finish its work on a job
│   ├── ModelUnavailable        this worker cannot get at the model now; another may
│   ├── ModelNotLoadable        the model's files are missing, unsafe or of another family
│   ├── OutOfMemory             the device's memory did not suffice
│   ├── DeviceLost              the device fails at everything until a new process opens it
│   ├── NonFiniteOutput         the model produced NaN or infinity
│   ├── PromptTooLong           more tokens than the model's text encoder reads
│   ├── InputMissing            an uploaded picture the job needs is no longer stored
│   ├── UnreadableJob           the row was written by a release with other rules
│   ├── WorkerLost              the worker stopped answering in mid-stage
│   └── StageFailed             any other exception inside a stage
├── ArtifactMissing             a stage's input is gone: the job is rewound, never failed
└── Stopped                     a stage was told to stop at a step boundary
    ├── LeaseLost               the job was canceled or taken over
    ├── DeadlineExceeded        the job's own deadline has passed: it fails
    ├── ShuttingDown            the worker is going away: give the job back
    └── Preempted               a more urgent job needs the slot: give this one back

Each class knows its `code` (stable, English), its HTTP `status` and whether a
retry by itself can help (`is_retryable`).
"""

from typing import Any, ClassVar


class MyriadError(Exception):
    """Base of all; `message` is for people, `code` for programs, `field` names the culprit.

    `retry_after_s` is when another try can help, where that is known.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    is_retryable: ClassVar[bool] = False

    def __init__(
        self, message: str, *, field: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s

    def to_dict(self) -> dict[str, Any]:
        """The inside of the one JSON error body: `{"code", "message", "field"?}`."""
        body = {"code": self.code, "message": self.message}
        return body | {"field": self.field} if self.field else body


class ConfigError(MyriadError):
    code = "bad_config"


class RequestError(MyriadError):
    code = "bad_request"
    status = 400


class InvalidRequest(RequestError):
    code = "invalid_request"


class ContentRefused(InvalidRequest):
    code = "content_refused"


class UnsupportedMediaType(RequestError):
    code = "unsupported_media_type"
    status = 415


class BodyTooLarge(RequestError):
    code = "body_too_large"
    status = 413


class Unauthorized(RequestError):
    code = "unauthorized"
    status = 401


class Forbidden(RequestError):
    code = "forbidden"
    status = 403


class NotFound(RequestError):
    code = "not_found"
    status = 404


class MethodNotAllowed(RequestError):
    code = "method_not_allowed"
    status = 405


class Conflict(RequestError):
    code = "conflict"
    status = 409


class JobCanceled(Conflict):
    code = "canceled"


class IdempotencyMismatch(RequestError):
    code = "idempotency_mismatch"
    status = 422


class RateLimited(RequestError):
    code = "rate_limited"
    status = 429
    is_retryable = True


class TooManyJobs(RateLimited):
    code = "too_many_jobs"


class QuotaExceeded(RateLimited):
    code = "quota_exceeded"


class Unavailable(MyriadError):
    code = "unavailable"
    status = 503
    is_retryable = True


class DatabaseUnavailable(Unavailable):
    code = "database_unavailable"


class BrokerUnavailable(Unavailable):
    code = "broker_unavailable"


class StorageUnavailable(Unavailable):
    code = "storage_unavailable"


class Overloaded(Unavailable):
    code = "overloaded"


class ObjectDamaged(StorageUnavailable):
    code = "object_damaged"


class Busy(Unavailable):
    code = "busy"


class StillRunning(MyriadError):
    code = "still_running"
    status = 504
    is_retryable = True


class StageError(MyriadError):
    code = "stage_error"


class ModelUnavailable(StageError):
    code = "model_unavailable"
    is_retryable = True


class ModelNotLoadable(StageError):
    code = "model_not_loadable"


class OutOfMemory(StageError):
    code = "out_of_memory"
    is_retryable = True


class DeviceLost(StageError):
    code = "device_lost"
    is_retryable = True


class NonFiniteOutput(StageError):
    code = "non_finite_output"


class PromptTooLong(StageError):
    code = "prompt_too_long"
    status = 422


class InputMissing(StageError):
    code = "input_missing"


class UnreadableJob(StageError):
    code = "unreadable_job"


class WorkerLost(StageError):
    code = "worker_lost"
    is_retryable = True


class StageFailed(StageError):
    code = "stage_failed"
    is_retryable = True


class ArtifactMissing(MyriadError):
    code = "artifact_missing"
    is_retryable = True


class Stopped(MyriadError):
    code = "stopped"
    is_retryable = True


class LeaseLost(Stopped):
    code = "lease_lost"


class DeadlineExceeded(Stopped):
    code = "deadline_exceeded"
    status = 504
    is_retryable = False


class ShuttingDown(Stopped):
    code = "shutting_down"


class Preempted(Stopped):
    code = "preempted"
