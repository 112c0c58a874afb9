"""Working ahead: as far as the next stage's workers need it, and no further."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from myriad.claimant import Claimant
from myriad.db.claim import claim
from myriad.db.commit import advance
from myriad.db.intake import submit
from myriad.db.tables import JobRow
from myriad.farm import Farm, open_farm
from myriad.job import Stage
from myriad.settings import Settings
from tasks.app import create_celery
from tasks.dispatch import Dispatcher
from tests.submissions import make_submission

POOLS = """
[[pool]]
name = "text"
stages = ["encode"]
concurrency = 8
[[pool]]
name = "both"
stages = ["encode", "denoise"]
models = ["own"]
concurrency = 1
[[pool]]
name = "gpu"
stages = ["denoise", "decode"]
models = ["big", "own"]
concurrency = 1
[[pool]]
name = "small"
stages = ["denoise", "decode"]
models = ["small"]
concurrency = 1
"""
CATALOG = "".join(
    f'[[model]]\nname = "{name}"\nfamily = "sd"\nsource = "tiny"\nrevision = "r1"\n'
    for name in ("big", "own", "small")
)
PLACES = 4


@pytest.fixture
def farm(tmp_path: Path, redis_url: str, migrated_sqlite_url: str) -> Iterator[Farm]:
    pools, catalog = tmp_path / "pools.toml", tmp_path / "catalog.toml"
    pools.write_text(POOLS)
    catalog.write_text(CATALOG)
    settings = Settings(
        home=tmp_path / "home",
        database_url=migrated_sqlite_url,
        redis_url=redis_url,
        pools=pools,
        catalog=catalog,
    )
    opened = open_farm(settings)
    yield opened
    opened.close()


def post(farm: Farm, model: str, priority: int = 0) -> str:
    job_id = submit(farm.db, make_submission(use_cache=False, priority=priority)).job_id
    with farm.db.write() as session:
        session.execute(update(JobRow).where(JobRow.id == job_id).values(model=model))
    return job_id


def encode(farm: Farm, model: str, many: int) -> list[str]:
    """As many jobs that wait for their denoise."""
    by = Claimant("text@host.1.aa", "text", "cpu")
    done = [post(farm, model) for _ in range(many)]
    for job_id in done:
        lease = claim(farm.db, job_id, Stage.ENCODE, by, 60)
        assert lease is not None
        assert advance(farm.db, lease, "out")
    return done


def hints(farm: Farm, queue: str) -> int:
    """How many there are after a dispatch."""
    Dispatcher(farm, create_celery(farm.settings)).run()
    return int(farm.redis.llen(queue))


def test_no_more_is_encoded_than_the_denoisers_soon_need(farm: Farm) -> None:
    encode(farm, "big", PLACES - 1)
    post(farm, "big")
    assert hints(farm, "encode.text") == 1
    encode(farm, "big", 1)
    post(farm, "big")
    assert hints(farm, "encode.text") == 1
    take_one(farm)
    assert hints(farm, "encode.text") == 2


def take_one(farm: Farm) -> None:
    """A denoiser takes the oldest."""
    by = Claimant("gpu@host.1.aa", "gpu", "cpu")
    with farm.db.read() as session:
        waiting = session.query(JobRow.id).where(JobRow.stage == Stage.DENOISE.value)
        job_id = waiting.order_by(JobRow.created_at).first()
    assert job_id
    assert claim(farm.db, job_id[0], Stage.DENOISE, by, 60)


def test_other_workers_go_on_getting_work(farm: Farm) -> None:
    encode(farm, "big", PLACES)
    post(farm, "big")
    post(farm, "small")
    assert hints(farm, "encode.text") == 1


def test_the_more_urgent_go_on_all_the_same(farm: Farm) -> None:
    encode(farm, "big", PLACES)
    post(farm, "big")
    post(farm, "big", priority=1)
    assert hints(farm, "encode.text") == 1


def test_a_pool_that_goes_on_with_its_jobs_is_not_held_up(farm: Farm) -> None:
    encode(farm, "own", 9 * PLACES)
    post(farm, "own")
    assert hints(farm, "encode.text") == 0
    assert hints(farm, "encode.both") == 1
