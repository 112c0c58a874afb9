"""Two servers under one load: how each is started, asked for a picture, and stopped."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from bench.load import Outcome
from bench.peer import ROOT, free_port, running_farm, wait_until_up

_BUSY = frozenset({429, 503})
_SHED_CODES = frozenset({"deadline_exceeded", "rate_limited", "unavailable"})
_FINAL = frozenset({"succeeded", "failed", "canceled"})
_POLL_S = 0.05
_GRACE_S = 10.0


@dataclass(frozen=True)
class Ask:
    """One picture, named as in diffusers; after `deadline_s` seconds nobody wants it."""

    prompt: str
    seed: int
    num_inference_steps: int
    deadline_s: float | None = None

    def params(self) -> dict[str, Any]:
        """What both servers understand."""
        return {
            "prompt": self.prompt,
            "seed": self.seed,
            "num_inference_steps": self.num_inference_steps,
        }


@dataclass(frozen=True)
class Drawn:
    """What came of an Ask: the picture's bytes, or why there are none."""

    outcome: Outcome
    picture: bytes = b""
    why: str = ""


class Contender(Protocol):
    """A running server. `draw` comes back when the picture's bytes are here."""

    name: str

    async def draw(self, http: httpx.AsyncClient, ask: Ask) -> Drawn: ...


class Farm:
    """Myriad over its native API: submit, wait, download."""

    name = "Myriad"

    def __init__(self, url: str) -> None:
        self._url = url

    async def draw(self, http: httpx.AsyncClient, ask: Ask) -> Drawn:
        deadline = {} if ask.deadline_s is None else {"deadline_s": ask.deadline_s}
        body = ask.params() | {"cache": False} | deadline
        answer = await http.post(
            f"{self._url}/api/v1/jobs", json=body, headers={"Prefer": "wait=60"}
        )
        if answer.status_code in _BUSY:
            return Drawn(Outcome.SHED, why=answer.text)
        job = answer.raise_for_status().json()
        while job["status"] not in _FINAL:  # no seat was free in the farm's waiting room
            await asyncio.sleep(_POLL_S)
            job = (await http.get(job["urls"]["get"])).raise_for_status().json()
        if job["status"] != "succeeded":
            return _refusal(job)
        picture = await http.get(job["output"][0]["url"])
        return Drawn(Outcome.ANSWERED, picture.raise_for_status().content)


class LitServe:
    """The peer: one request, one picture; it has no notion of a request's deadline."""

    name = "LitServe"

    def __init__(self, url: str) -> None:
        self._url = url

    async def draw(self, http: httpx.AsyncClient, ask: Ask) -> Drawn:
        answer = await http.post(f"{self._url}/predict", json=ask.params())
        if answer.status_code in _BUSY:
            return Drawn(Outcome.SHED, why=answer.text)
        return Drawn(Outcome.ANSWERED, answer.raise_for_status().content)


@contextmanager
def farm(home: Path, settings: dict[str, str]) -> Iterator[Farm]:
    """A whole farm on an empty home, by `myriad up`; `settings` are MYRIAD_* variables."""
    with running_farm(home, settings) as url:
        yield Farm(url)


@contextmanager
def litserve(folder: str, threads: int, batch: int, log: Path) -> Iterator[LitServe]:
    """LitServe with its defaults, dynamic batching of `batch` on `threads` torch threads."""
    port = free_port()
    with log.open("w") as output:
        process = subprocess.Popen(
            (
                sys.executable,
                "-m",
                "bench.litserve_peer",
                folder,
                *map(str, (port, threads, batch)),
            ),
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_up(f"{url}/health", process)
        yield LitServe(url)
    finally:
        _stop(process)


def _refusal(job: dict[str, Any]) -> Drawn:
    """A job dropped because it came too late is shed; any other failure is one."""
    is_shed = (job["error"] or {}).get("code") in _SHED_CODES
    return Drawn(Outcome.SHED if is_shed else Outcome.FAILED, why=str(job["error"]))


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask the whole process group, then insist: LitServe's workers are its children."""
    assert process.stdin
    process.stdin.close()
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=_GRACE_S)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
