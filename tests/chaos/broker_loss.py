"""`python -m tests.chaos.broker_loss`: how long 1,000 queued jobs notice that Redis was lost.

The broker is flushed, and in a second round killed without its append-only file,
with the farm's default times. Prints when the first job after the loss was
claimed and when all were done, and fails above 30 and 120 seconds.
"""

import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from sqlalchemy import func, select

from myriad.db.intake import submit
from myriad.db.tables import LIVE, JobRow, StageRunRow
from myriad.settings import Settings
from tests.chaos.world import World, make_world
from tests.processes import wait_until
from tests.submissions import make_submission

_FIRST_WITHIN_S, _ALL_WITHIN_S = 30.0, 120.0
_STEPS = 4


@click.command()
@click.option("--jobs", default=1000, show_default=True)
def main(jobs: int) -> None:
    """Lose the broker under JOBS queued jobs, twice."""
    defaults = Settings()
    times = {name: getattr(defaults, name) for name in ("redispatch_s", "janitor_interval_s")}
    with (
        TemporaryDirectory() as folder,
        make_world(Path(folder), seed=1, lease_s=defaults.lease_s, more=times) as world,
    ):
        kept = [_lose(world, jobs, "FLUSHALL", lambda: world.farm.redis.flushall())]
        kept.append(_lose(world, jobs, "kill -9, no file", lambda: _crash(world)))
    sys.exit(not all(kept))


def _lose(world: World, jobs: int, name: str, lose: Callable[[], object]) -> bool:
    """Whether the farm got over it in time."""
    _to_workers(world, signal.SIGSTOP)
    for number in range(jobs):
        prompt = f"{name} {number}"
        submit(world.farm.db, make_submission(prompt, num_inference_steps=_STEPS))
    _to_workers(world, signal.SIGCONT)
    wait_until(lambda: _live(world) < jobs, within_s=300, what="the first is done")
    lose()
    lost_at, tick = datetime.now(UTC), time.monotonic()
    wait_until(lambda: _claims_since(world, lost_at) > 0, within_s=300, what="the next claim")
    first_s = time.monotonic() - tick
    left = _live(world)
    wait_until(lambda: _live(world) == 0, within_s=900, what="the end of all")
    all_s = time.monotonic() - tick
    click.echo(f"{name:<18} {left} left; next claim after {first_s:.1f} s, all after {all_s:.1f} s")
    return first_s <= _FIRST_WITHIN_S and all_s <= _ALL_WITHIN_S


def _to_workers(world: World, number: signal.Signals) -> None:
    for name in world.crew.names("worker"):
        world.crew.signal(name, number)


def _crash(world: World) -> None:
    world.broker.crash(forgets=True)
    world.broker.start()


def _live(world: World) -> int:
    query = select(func.count()).select_from(JobRow).where(JobRow.state.in_(LIVE))
    with world.farm.db.read() as session:
        return session.scalar(query) or 0


def _claims_since(world: World, moment: datetime) -> int:
    """First claims of jobs, begun after that moment."""
    query = select(func.count()).where(StageRunRow.attempt == 1, StageRunRow.started_at > moment)
    with world.farm.db.read() as session:
        return session.scalar(query) or 0


if __name__ == "__main__":
    main()
