"""Each of our errors as OpenAI's client is to hear it."""

from collections.abc import Iterator

import pytest
from flask import Flask

from myriad.errors import (
    BodyTooLarge,
    Busy,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    IdempotencyMismatch,
    InvalidRequest,
    JobCanceled,
    MyriadError,
    NotFound,
    OutOfMemory,
    PromptTooLong,
    QuotaExceeded,
    RateLimited,
    StageFailed,
    StillRunning,
    TooManyJobs,
    Unauthorized,
    Unavailable,
)
from web.doors.openai.door import say

HEARD: dict[type[MyriadError], tuple[int, str, str, bool]] = {
    InvalidRequest: (400, "invalid_request_error", "invalid_request", False),
    PromptTooLong: (400, "invalid_request_error", "prompt_too_long", False),
    Unauthorized: (401, "invalid_request_error", "invalid_api_key", False),
    Forbidden: (403, "permission_error", "forbidden", False),
    NotFound: (404, "invalid_request_error", "not_found", False),
    Conflict: (409, "invalid_request_error", "conflict", True),
    JobCanceled: (409, "invalid_request_error", "canceled", False),
    BodyTooLarge: (413, "invalid_request_error", "body_too_large", False),
    IdempotencyMismatch: (422, "invalid_request_error", "idempotency_mismatch", False),
    RateLimited: (429, "requests", "rate_limit_exceeded", True),
    TooManyJobs: (429, "requests", "too_many_jobs", True),
    QuotaExceeded: (429, "requests", "quota_exceeded", False),
    OutOfMemory: (500, "server_error", "out_of_memory", False),
    StageFailed: (500, "server_error", "stage_failed", False),
    Unavailable: (503, "server_error", "unavailable", True),
    Busy: (503, "server_error", "busy", True),
    StillRunning: (504, "server_error", "still_running", True),
    DeadlineExceeded: (504, "server_error", "deadline_exceeded", False),
}


@pytest.fixture(autouse=True)
def _app() -> Iterator[None]:
    with Flask(__name__).app_context():
        yield


@pytest.mark.parametrize("kind", HEARD, ids=lambda kind: kind.__name__)
def test_status_type_code_and_whether_to_try_again(kind: type[MyriadError]) -> None:
    status, type_, code, should_retry = HEARD[kind]
    answer = say(kind("it is so"))
    assert answer.status_code == status
    assert answer.json == {
        "error": {"message": "it is so", "type": type_, "param": None, "code": code}
    }
    assert answer.headers["X-Should-Retry"] == str(should_retry).lower()
    assert ("Retry-After" in answer.headers) == should_retry


@pytest.mark.parametrize(
    ("field", "param"), [("num_images", "n"), ("width", "size"), ("seed", "seed")]
)
def test_the_field_is_called_as_the_caller_called_it(field: str, param: str) -> None:
    error = say(InvalidRequest("must not be", field=field)).json["error"]
    assert (error["param"], error["message"]) == (param, f"{param}: must not be")
