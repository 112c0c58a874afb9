"""Whether a new job could be done in time: how much work comes before it, and how fast it goes."""

from collections.abc import Collection
from dataclasses import dataclass
from math import ceil

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from myriad.db.pace import HAS_OWN_RUN, Pace
from myriad.db.tables import LIVE, JobRow
from myriad.errors import MyriadError, Overloaded, RateLimited
from myriad.job import Stage

_LIGHTEST = 4
"""Jobs that wait are looked at as if none were less than a quarter of the mean."""


@dataclass(frozen=True)
class Limit:
    """A job of one of `models`, which share workers, must be done within `wait_s`.

    `is_own` says that the caller set the time, by the job's deadline, not the operator.
    """

    models: Collection[str]
    pace: Pace
    wait_s: float
    is_own: bool = False

    def check(self, session: Session, job: JobRow) -> None:
        """Raise if too much work comes before `job`: RateLimited for a deadline, else Overloaded.

        Looks at no more rows than there may be, so a wait far beyond the limit is told
        as less than it is.
        """
        count, ahead = self._ahead(session, job.priority)
        wait_s = self.pace.seconds(ahead + job.cost)
        # An idle farm takes any job: no forecast is better than trying.
        if count and wait_s > self.wait_s:
            raise self._refusal(wait_s)

    def _ahead(self, session: Session, priority: int) -> tuple[int, float]:
        """Jobs that go before one of this priority, and their work in megapixel-steps."""
        most = ceil(self.pace.jobs_per_s * self.wait_s * _LIGHTEST) + 1
        before = (
            # Rows of the release before have no cost.
            select(func.coalesce(func.nullif(JobRow.cost, 0), self.pace.mean_cost).label("cost"))
            .where(
                JobRow.stage.in_([stage.value for stage in Stage]),
                JobRow.state.in_(LIVE),
                JobRow.priority >= priority,
                HAS_OWN_RUN,
                JobRow.model.in_(self.models),
            )
            .limit(most)
            .subquery()
        )
        count, cost = session.execute(select(func.count(), func.sum(before.c.cost))).one()
        # So many that their weight does not matter: they are told as jobs of the mean.
        return count, max(cost, count * self.pace.mean_cost) if count == most else cost or 0.0

    def _refusal(self, wait_s: float) -> MyriadError:
        text = f"a new job would wait for about {wait_s:.3g} seconds, more than {self.wait_s:.3g}"
        if self.is_own:
            return RateLimited(
                text, field="deadline_s", retry_after_s=max(1.0, wait_s - self.wait_s)
            )
        return Overloaded(text, retry_after_s=max(1.0, wait_s - self.wait_s))
