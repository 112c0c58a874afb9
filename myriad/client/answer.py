"""What the farm's answers mean: a body, an error of our tree, or that another try can help."""

import random
from collections.abc import Mapping
from typing import Any

import httpx

from myriad.client.call import Call, Flow, Pause, Reply
from myriad.errors import Conflict, JobCanceled, MyriadError, Unavailable

_AWAY = (502, 503, 504)
"""What the farm says when a part of it is away, and a proxy when the farm is."""

_AGAIN = (429, *_AWAY)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 60.0
_dice = random.Random()  # noqa: S311 - jitter


def exchange(call: Call, retries: int) -> Flow[httpx.Response]:
    """The successful answer, after at most that many further tries.

    A try is made again after a lost connection, where a proxy finds no farm, and where
    the farm says that it can help; pauses are as long as it says, else they double.
    Raises the MyriadError that was answered last, at once if it would take more than a
    minute to pass.
    """
    for tried in range(retries + 1):
        reply = yield call
        pause_s = _pause_s(call, reply, tried)
        if pause_s is None or tried == retries:
            break
        yield Pause(pause_s)
    return _checked(call, reply)


def body_of(response: httpx.Response) -> dict[str, Any]:
    """The JSON object. Raises MyriadError for anything else."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise MyriadError(f"what answers at {_site(response.url)} is not a Myriad farm")
    return body


def error_of(problem: Mapping[str, Any]) -> MyriadError:
    """The error of our tree that a body's `error` names."""
    kind = _kinds().get(problem["code"], MyriadError)
    return kind(problem["message"], field=problem.get("field"))


def check_success(job: Mapping[str, Any]) -> None:
    """Raise what the final job failed of, JobCanceled if it was canceled."""
    if job["status"] == "canceled":
        raise JobCanceled(f"job {job['id']} was canceled")
    if job["status"] != "succeeded":
        raise error_of(job["error"])


def _pause_s(call: Call, reply: Reply, tried: int) -> float | None:
    """How long to wait before the same once more; None if that cannot help."""
    doubling = _FIRST_PAUSE_S * (1 << tried) * _dice.uniform(0.8, 1.2)
    if isinstance(reply, httpx.TransportError):
        return doubling
    if not isinstance(reply, httpx.Response) or not _may_help(call, reply):
        return None
    told_s = _retry_after_s(reply)
    seconds = doubling if told_s is None else told_s
    return seconds if seconds <= _LONGEST_PAUSE_S else None


def _may_help(call: Call, response: httpx.Response) -> bool:
    if response.status_code in _AGAIN:
        return True
    # Under an idempotency key: the try before, cut off on our side, is still being taken in.
    return call.idempotency_key is not None and response.status_code == Conflict.status


def _checked(call: Call, reply: Reply) -> httpx.Response:
    if isinstance(reply, httpx.Response):
        if reply.is_success:
            return reply
        raise _told(reply)
    url = _site(httpx.URL(call.url))
    raise Unavailable(f"no farm answers at {url}: {reply}") from reply


def _told(response: httpx.Response) -> MyriadError:
    try:
        error = error_of(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        kind = Unavailable if response.status_code in _AWAY else MyriadError
        error = kind(f"{response.url} answered {response.status_code}")
    error.retry_after_s = _retry_after_s(response)
    return error


def _retry_after_s(response: httpx.Response) -> float | None:
    told = response.headers.get("Retry-After", "")
    return float(told) if told.isdecimal() else None


def _site(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode()}"


def _kinds(root: type[MyriadError] = MyriadError) -> dict[str, type[MyriadError]]:
    """Every class of the error tree by its code."""
    kinds = {root.code: root}
    for kind in root.__subclasses__():
        kinds |= _kinds(kind)
    return kinds
