"""A worker works at what it holds first, for a while, whatever its hints name."""

import socket
from collections.abc import Iterator
from itertools import pairwise

import pytest
from redis import Redis
from sqlalchemy import select, update

from myriad.db.tables import JobRow, StageRunRow
from myriad.farm import Farm
from myriad.redis_client import connect_redis
from myriad.signals import Signals
from tasks.preference import Preference
from tests.processes import JANITOR, Processes
from tests.tasks.jobs import pool, post_many, wait_for

KEY = "myriad:back:job"


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    client = connect_redis(redis_url)
    yield client
    client.close()


def test_only_a_job_of_a_model_that_is_not_held_stands_back(redis: Redis) -> None:
    asked = Preference(lambda: ("held", "too"), Signals(redis)).before
    assert asked("job", "foreign") == ("held", "too")
    assert asked("job", "held") == ()
    assert asked("job", None) == ()
    assert Preference(tuple, Signals(redis)).before("job", "foreign") == ()


def test_it_does_so_for_a_while(redis: Redis) -> None:
    asked = Preference(lambda: ("held",), Signals(redis)).before
    assert asked("job", "foreign")
    redis.pexpire(KEY, redis.pttl(KEY) - 9_000)
    assert asked("job", "foreign")
    redis.pexpire(KEY, redis.pttl(KEY) - 1_000)
    assert not asked("job", "foreign")
    assert asked("another", "foreign")


def test_and_not_at_all_while_nobody_keeps_the_time() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        away = connect_redis(f"redis://127.0.0.1:{probe.getsockname()[1]}/0")
        asked = Preference(lambda: ("held",), Signals(away)).before
        assert not asked("job", "foreign")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("pools", [pool("single", concurrency=1)])
def test_a_worker_changes_models_once(farm: Farm, processes: Processes) -> None:
    job_ids = post_many(farm, 8, steps=1)
    with farm.db.write() as session:
        for job_id in job_ids[::2]:
            session.execute(update(JobRow).where(JobRow.id == job_id).values(model="another"))
    processes.start(JANITOR)
    processes.start(("tests.tasks.fast_worker", "single"))
    wait_for(farm, job_ids)
    with farm.db.read() as session:
        models = list(session.scalars(select(StageRunRow.model).order_by(StageRunRow.started_at)))
    assert sum(one != other for one, other in pairwise(models)) == 1
