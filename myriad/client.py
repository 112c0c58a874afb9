"""A small client of the native API; it needs httpx and nothing else of Myriad's house."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from myriad.errors import MyriadError, Unavailable

Job = dict[str, Any]
"""The JSON body of a job, as `GET /api/v1/jobs/{id}` answers."""

FINAL = frozenset({"succeeded", "failed", "canceled"})
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0


class Client:
    """Talks to one farm. Every method raises the MyriadError whose code the farm answered.

    Unavailable also means that nothing answers at `url`. Use as a context manager,
    or call `close`.
    """

    def __init__(self, url: str = "http://127.0.0.1:8600", key: str | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._api = httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=_TIMEOUT)

    def submit(self, prompt: str, **params: Any) -> Job:
        """Hand in a job. `params` are the API's fields; those that are None are left out."""
        given = {name: value for name, value in params.items() if value is not None}
        return self._json("POST", "/jobs", json={"prompt": prompt, **given})

    def upload(self, picture: bytes, name: str = "picture") -> dict[str, Any]:
        """Hand in a PNG, JPEG or WebP picture; its `id` goes into a job's `image`, `mask` …."""
        return self._json("POST", "/inputs", files={"file": (name, picture)})

    def get(self, job_id: str) -> Job:
        """The job as it stands."""
        return self._json("GET", f"/jobs/{job_id}")

    def wait(
        self,
        job_id: str,
        on_progress: Callable[[Job], None] | None = None,
        timeout_s: float | None = None,
    ) -> Job:
        """The job once it is final. Raises TimeoutError after `timeout_s` seconds."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        pause_s = _FIRST_PAUSE_S
        while True:
            job = self.get(job_id)
            if on_progress:
                on_progress(job)
            if job["status"] in FINAL:
                return job
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"job {job_id} is still {job['status']}")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    def cancel(self, job_id: str) -> Job:
        """Cancel the job; one that has ended stays as it is."""
        return self._json("POST", f"/jobs/{job_id}/cancel")

    def jobs(self, status: str | None = None) -> Iterator[Job]:
        """All jobs of this caller, newest first, fetched page by page."""
        query = {"status": status} if status else {}
        while True:
            page = self._json("GET", "/jobs", params=query)
            yield from page["jobs"]
            if not page["cursor"]:
                return
            query["cursor"] = page["cursor"]

    def models(self) -> list[dict[str, Any]]:
        """The catalogue: each model's name, defaults, limits and languages."""
        models: list[dict[str, Any]] = self._json("GET", "/models")["models"]
        return models

    def download(self, url: str) -> bytes:
        """The bytes behind an address of a job's `output`; the API key is not sent there."""
        try:
            response = httpx.get(url, timeout=_TIMEOUT, follow_redirects=True)
        except httpx.HTTPError as error:
            raise _no_answer(url, error) from error
        return _checked(response).content

    def close(self) -> None:
        """Give the connections back."""
        self._api.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            response = _checked(self._api.request(method, path, **options))
            body: dict[str, Any] = response.json()
        except httpx.HTTPError as error:
            raise _no_answer(self.url, error) from error
        except ValueError as error:
            raise MyriadError(f"what answers at {self.url} is not a Myriad farm") from error
        return body


def _no_answer(url: str, error: httpx.HTTPError) -> Unavailable:
    return Unavailable(f"no farm answers at {url}: {error}")


def _checked(response: httpx.Response) -> httpx.Response:
    """The response if it is a success, else the error of our tree that its body names."""
    if response.is_success:
        return response
    try:
        problem = response.json()["error"]
        kind = _kinds().get(problem["code"], MyriadError)
        raise kind(problem["message"], field=problem.get("field"))
    except (ValueError, KeyError, TypeError):
        raise MyriadError(f"{response.url} answered {response.status_code}") from None


def _kinds(root: type[MyriadError] = MyriadError) -> dict[str, type[MyriadError]]:
    """Every class of the error tree by its code."""
    kinds = {root.code: root}
    for kind in root.__subclasses__():
        kinds |= _kinds(kind)
    return kinds
