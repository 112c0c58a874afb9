"""PostgreSQL goes away under load: creates are refused politely, and nothing is lost."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from threading import Event, Thread

import httpx
import pytest
from sqlalchemy import text

from myriad.db.database import Database, DatabaseLimits
from myriad.db.migrate import upgrade
from myriad.errors import DatabaseUnavailable
from myriad.farm import Farm
from tasks.health import check_loop
from tests.postgres import OwnPostgres, own_postgres
from tests.processes import FAST_WORKER, JANITOR, SENDER, Processes, wait_until
from tests.tasks.jobs import assert_effects_once, outcomes, post, steps_done, wait_for
from tests.web.server import GUNICORN, free_port

# Longer than a lease, so that every one of them runs out.
OUTAGE_S = float(os.environ.get("TEST_OUTAGE_S", "3"))
pytestmark = pytest.mark.timeout(180 + 2 * OUTAGE_S)


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        upgrade(server.url)
        yield server


@pytest.fixture
def migrated_url(postgres: OwnPostgres) -> str:
    return postgres.url


@pytest.fixture
def more_settings() -> dict[str, str]:
    return {"MYRIAD_PORT": str(free_port())}


class Caller(Thread):
    """Asks for one job after the other and keeps every answer."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = f"{url}/api/v1/jobs"
        self._is_over = Event()
        self.answers: list[httpx.Response] = []

    def run(self) -> None:
        with httpx.Client(trust_env=False, timeout=60) as client:
            while not self._is_over.wait(0.02):
                prompt = f"circle {len(self.answers)}"
                self.answers.append(client.post(self._url, json={"prompt": prompt}))

    def has_answer(self, status: int, after: int) -> bool:
        return any(each.status_code == status for each in self.answers[after:])

    def close(self) -> None:
        self._is_over.set()
        self.join()


def test_nothing_is_lost_while_the_database_is_stopped(
    farm: Farm, processes: Processes, postgres: OwnPostgres
) -> None:
    running = [processes.start(each) for each in (FAST_WORKER, JANITOR, SENDER, GUNICORN)]
    wait_until(lambda: _is_ready(farm.settings.local_url), what="the farm is ready")
    caller = Caller(farm.settings.local_url)
    slow = [post(farm, f"slow {index}", steps=25) for index in range(2)]
    wait_until(lambda: all(steps_done(farm, each) for each in slow), what="both are denoising")
    caller.start()
    wait_until(lambda: caller.has_answer(201, after=0), what="a job is taken")

    postgres.stop()
    before = len(caller.answers)
    wait_until(lambda: caller.has_answer(503, after=before), what="a job is refused")
    time.sleep(OUTAGE_S)
    assert not _is_ready(farm.settings.local_url)
    postgres.start()
    back = time.monotonic()
    before = len(caller.answers)
    wait_until(lambda: caller.has_answer(201, after=before), what="jobs are taken again")
    print(f"jobs are taken again after {time.monotonic() - back:.1f} s")  # noqa: T201
    caller.close()

    taken = [each.json()["id"] for each in caller.answers if each.status_code == 201]
    wait_for(farm, [*taken, *slow])
    print(f"all done after {time.monotonic() - back:.1f} s")  # noqa: T201
    assert_effects_once(farm, [*taken, *slow])
    _assert_refused_politely(caller.answers)
    # No worker was taken for dead, and no step was done twice.
    ends = {end for job_id in [*taken, *slow] for end in outcomes(farm, job_id)}
    assert "worker_lost" not in ends
    assert [[step for _, step in steps_done(farm, each)] for each in slow] == [list(range(25))] * 2
    assert [process.poll() for process in running] == [None] * 4
    for loop in ("janitor", "sender"):
        check_loop(farm.settings, loop)
    wait_until(lambda: _is_ready(farm.settings.local_url), what="the farm is ready again")


def test_a_frozen_server_is_given_up_and_taken_up_again(postgres: OwnPostgres) -> None:
    """Its kernel answers for it, so that only a limit of our own ends the wait."""
    db = Database(postgres.url, DatabaseLimits(wait_s=1, statement_s=1))

    def ask_in_vain() -> None:
        with db.write() as session:
            session.execute(text("SELECT 1"))
            with postgres.frozen():
                session.execute(text("SELECT 2"))

    with pytest.raises(DatabaseUnavailable):
        ask_in_vain()
    with db.read() as session:
        assert session.scalar(text("SELECT 3")) == 3
    db.close()


def test_the_pool_of_connections_is_bounded(postgres: OwnPostgres) -> None:
    db = Database(postgres.url, DatabaseLimits(pool_size=1, pool_extra=1, wait_s=0.2))
    with db.read() as first, db.read() as second:
        assert [each.scalar(text("SELECT 1")) for each in (first, second)] == [1, 1]
        with pytest.raises(DatabaseUnavailable, match="no connection free"), db.read() as third:
            third.execute(text("SELECT 1"))
    db.close()


def test_a_lock_is_not_waited_for_long(postgres: OwnPostgres) -> None:
    db = Database(postgres.url, DatabaseLimits(wait_s=0.2))
    with db.write() as holder:
        holder.execute(text("LOCK TABLE options"))
        with pytest.raises(DatabaseUnavailable), db.write() as waiting:
            waiting.execute(text("LOCK TABLE options"))
    db.close()


def _assert_refused_politely(answers: list[httpx.Response]) -> None:
    assert set(Counter(each.status_code for each in answers)) == {201, 503}
    refused = [each for each in answers if each.status_code == 503]
    assert {each.json()["error"]["code"] for each in refused} == {"database_unavailable"}
    assert all(int(each.headers["Retry-After"]) > 0 for each in refused)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=60, trust_env=False).is_success
    except httpx.HTTPError:
        return False
