"""Every process is restarted, one after the other, while jobs stream in: nobody notices."""

import subprocess
from collections.abc import Iterator
from itertools import cycle
from threading import Event, Thread

import httpx
import pytest

from myriad.farm import Farm
from tests.processes import FAST_WORKER, JANITOR, Processes, wait_until
from tests.tasks.jobs import assert_effects_once, count_final, outcomes, post, wait_for
from tests.web.server import GUNICORN, free_port

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.parametrize("migrated_url", ["postgres"], indirect=True),
]


class RoundRobin(Thread):
    """Posts to each address in turn; whoever refuses the connection is passed over.

    Everything else that is no 201 is kept in `failures`.
    """

    def __init__(self, ports: list[int]) -> None:
        super().__init__(daemon=True)
        self._clients = [
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60)
            for port in ports
        ]
        self._is_over = Event()
        self.taken: list[str] = []
        self.refused = 0
        self.failures: list[str] = []

    def run(self) -> None:
        for client in cycle(self._clients):
            if self._is_over.wait(0.02):
                return
            self._post(client)

    def close(self) -> None:
        self._is_over.set()
        self.join()
        for client in self._clients:
            client.close()

    def _post(self, client: httpx.Client) -> None:
        try:
            answer = client.post("/api/v1/jobs", json={"prompt": f"circle {len(self.taken)}"})
        except httpx.ConnectError:
            self.refused += 1
        except httpx.HTTPError as error:
            self.failures.append(repr(error))
        else:
            if answer.status_code == 201:
                self.taken.append(answer.json()["id"])
            else:
                self.failures.append(f"{answer.status_code} {answer.text}")


@pytest.fixture
def ports() -> list[int]:
    return [free_port(), free_port()]


@pytest.fixture
def callers(ports: list[int]) -> Iterator[RoundRobin]:
    caller = RoundRobin(ports)
    yield caller
    caller.close()


def test_a_rolling_restart_under_load_fails_no_job_and_no_request(
    farm: Farm,
    processes: Processes,
    environment: dict[str, str],
    ports: list[int],
    callers: RoundRobin,
) -> None:
    def start_web(port: int) -> "subprocess.Popen[bytes]":
        process = processes.start(GUNICORN, MYRIAD_PORT=str(port))
        wait_until(lambda: _answers(port), what=f"the front end at {port}")
        return process

    processes.start(JANITOR)
    webs = {port: start_web(port) for port in ports}
    workers = [processes.start(FAST_WORKER) for _ in range(2)]
    # Whoever is up first has them; if it is the second, they must outlast the first's restart.
    long = [post(farm, f"slow {index}", steps=60) for index in range(4)]
    callers.start()
    for old in workers:
        _stream(callers, farm)
        old.terminate()
        assert old.wait(timeout=60) == 0
        processes.start(FAST_WORKER)
    for port, web in webs.items():
        _stream(callers, farm)
        web.terminate()
        assert web.wait(timeout=60) == 0
        start_web(port)
    _stream(callers, farm)
    callers.close()
    job_ids = [*callers.taken, *long]
    wait_for(farm, job_ids)
    assert_effects_once(farm, job_ids)
    assert callers.failures == []
    # Nobody was taken for dead: what was under way was handed back, and its try not counted.
    ends = {end for job_id in job_ids for end in outcomes(farm, job_id)}
    assert ends <= {"succeeded", "handed_back"}
    assert any("handed_back" in outcomes(farm, job_id) for job_id in long)


def _stream(callers: RoundRobin, farm: Farm) -> None:
    """Wait until more jobs have been taken, and more have ended."""
    taken, ended = len(callers.taken), count_final(farm)
    wait_until(
        lambda: len(callers.taken) >= taken + 10 and count_final(farm) >= ended + 5,
        what="jobs stream in and end",
    )


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False
