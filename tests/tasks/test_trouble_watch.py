"""Dispatch and a pool in trouble: no hints for a while, then one probe, the rest to others."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.claim import claim
from myriad.db.commit import RetryRule, advance, give_up
from myriad.db.intake import submit
from myriad.db.tables import JobRow, StageRunRow
from myriad.errors import ModelUnavailable
from myriad.farm import Farm, open_farm
from myriad.job import Stage
from myriad.settings import Settings
from tasks.app import create_celery
from tasks.dispatch import Dispatcher
from tests.submissions import make_submission

POOLS = """
[[pool]]
name = "bad"
stages = ["encode", "denoise", "decode"]
[[pool]]
name = "spare"
models = ["myriad-mini"]
stages = ["encode", "denoise", "decode"]
"""


@pytest.fixture
def farm(tmp_path: Path, redis_url: str, migrated_sqlite_url: str) -> Iterator[Farm]:
    pools = tmp_path / "pools.toml"
    pools.write_text(POOLS)
    settings = Settings(
        home=tmp_path / "home", database_url=migrated_sqlite_url, redis_url=redis_url, pools=pools
    )
    farm = open_farm(settings)
    yield farm
    farm.close()


def hints(farm: Farm, pool: str) -> int:
    return int(farm.redis.llen(f"encode.{pool}"))


def dispatch(farm: Farm) -> None:
    Dispatcher(farm, create_celery(farm.settings)).run()


def new_job(farm: Farm) -> str:
    return submit(farm.db, make_submission(use_cache=False)).job_id


def fail_five(farm: Farm) -> None:
    by = Claimant("bad@host.1.aa", "bad", "cpu")
    for _ in range(5):
        lease = claim(farm.db, new_job(farm), Stage.ENCODE, by, 60)
        assert lease is not None
        away = ModelUnavailable("the hub is away")
        assert give_up(farm.db, lease, away, RetryRule(max_tries=9, delay_s=0))


def let_pause_end(farm: Farm) -> None:
    past = clock.now() - timedelta(seconds=30)
    with farm.db.write() as session:
        session.execute(update(StageRunRow).values(started_at=past, finished_at=past))


def test_no_hints_then_one_probe_then_all(farm: Farm) -> None:
    fail_five(farm)
    dispatch(farm)
    assert hints(farm, "bad") == 0
    let_pause_end(farm)
    for _ in range(3):
        dispatch(farm)
    assert hints(farm, "bad") == 1
    farm.redis.delete("encode.bad")
    by = Claimant("bad@host.2.aa", "bad", "cpu")
    lease = claim(farm.db, new_job(farm), Stage.ENCODE, by, 60)
    assert lease is not None
    assert advance(farm.db, lease, "out")
    dispatch(farm)
    assert hints(farm, "bad") > 1


def test_others_take_over(farm: Farm) -> None:
    fail_five(farm)
    with farm.db.write() as session:
        session.execute(update(JobRow).values(model="myriad-mini"))
        session.execute(update(StageRunRow).values(model="myriad-mini"))
    dispatch(farm)
    assert (hints(farm, "bad"), hints(farm, "spare")) == (0, 5)
