"""Pools that fail at a stage of a model again and again: circuit breakers, told from the rows.

No process keeps a state. Whoever looks at the stage runs sees the same breakers, and what
they are told from is written anyway when a stage ends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from myriad import clock
from myriad.breaker import Breaker, BreakerRule
from myriad.db.database import Database
from myriad.db.tables import StageRunRow
from myriad.errors import DeviceLost, ModelUnavailable, StageFailed, WorkerLost
from myriad.job import JobState

RULE = BreakerRule(failures=5, first_s=5, longest_s=60)

_FAULTS = (ModelUnavailable.code, StageFailed.code, DeviceLost.code, WorkerLost.code)
_FEWEST_CAUSES = 3
_LATELY = timedelta(minutes=15)
_MOST_RUNS = 500


@dataclass(frozen=True)
class Trouble(Breaker):
    """A breaker that is open or half open: of this pool, at this stage of this model."""

    pool: str
    stage: str
    model: str
    is_probed: bool
    """A run has begun since: whether it helps is about to be known."""


class _Failure(NamedTuple):
    pool: str
    stage: str
    model: str
    outcome: str
    job_id: str
    worker: str
    finished_at: datetime

    @property
    def cause(self) -> str:
        """One dead worker loses many jobs, and one bad job fails many times: each is one cause."""
        return self.worker if self.outcome == WorkerLost.code else self.job_id


def find_trouble(db: Database) -> list[Trouble]:
    """Breakers that are not closed.

    One opens after five failures in a row of a pool at a stage of a model, if they have
    three different causes: neither one bad job nor one worker that was killed is the
    pool's fault. Asks one index that is empty while all is well.
    """
    with db.read() as session:
        lately: dict[tuple[str, str, str], list[_Failure]] = {}
        for failure in _failures(session):
            lately.setdefault(failure[:3], []).append(failure)
        found = [_trouble(session, failures) for failures in lately.values()]
    return [trouble for trouble in found if trouble is not None]


def _failures(session: Session) -> Iterator[_Failure]:
    """The last ones, latest first."""
    query = (
        select(
            StageRunRow.pool,
            StageRunRow.stage,
            StageRunRow.model,
            StageRunRow.outcome,
            StageRunRow.job_id,
            StageRunRow.worker,
            StageRunRow.finished_at,
        )
        .where(StageRunRow.outcome.in_(_FAULTS), StageRunRow.finished_at > clock.now() - _LATELY)
        .order_by(StageRunRow.finished_at.desc())
        .limit(_MOST_RUNS)
    )
    for pool, stage, model, outcome, job_id, worker, ended in session.execute(query):
        if ended is not None:
            yield _Failure(pool, stage, model, outcome, job_id, worker, ended)


def _trouble(session: Session, failures: Sequence[_Failure]) -> Trouble | None:
    """What the failures of one pool and model, latest first, amount to."""
    if len(failures) < RULE.failures:
        return None
    at, last = failures[0], failures[0].finished_at
    well = _last(session, at, JobState.SUCCEEDED.value, StageRunRow.finished_at)
    row = [each for each in failures if well is None or each.finished_at > well]
    if len(row) < RULE.failures or len({each.cause for each in row}) < _FEWEST_CAUSES:
        return None
    begun = _last(session, at, "running", StageRunRow.started_at)
    return Trouble(
        name=f"{at.stage}.{at.pool}/{at.model}",
        failures=len(row),
        until=last + RULE.pause(len(row)),
        pool=at.pool,
        stage=at.stage,
        model=at.model,
        is_probed=begun is not None and begun > last,
    )


def _last(
    session: Session, at: _Failure, outcome: str, moment: InstrumentedAttribute[Any]
) -> datetime | None:
    """The latest moment of runs with that outcome, of the same pool, stage and model."""
    query = select(moment).where(
        StageRunRow.outcome == outcome,
        StageRunRow.stage == at.stage,
        StageRunRow.model == at.model,
        StageRunRow.pool == at.pool,
        moment > clock.now() - _LATELY,
    )
    return session.scalar(query.order_by(moment.desc()).limit(1))
