"""What a socket has to look at: few jobs, however many wait and however many are drawn."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from myriad.db.database import Database
from myriad.db.jobs import visible
from myriad.db.tables import JobRow
from myriad.job import JobState
from web.doors.comfyui.prompting import DOOR
from web.doors.comfyui.ticket import ticket_in

_LIVE = [state.value for state in JobState if not state.is_final]


@dataclass(frozen=True)
class Sight:
    """How many of the key's jobs are left, and which of the client's are to be looked at."""

    remaining: int
    job_ids: tuple[str, ...]


def see(db: Database, scope: str, client: str, *, since: datetime, begun: Collection[str]) -> Sight:
    """The client's jobs that ended at `since` or later, that run, or whose beginning was told.

    Of a job that waits there is nothing to tell, so none of those is read.
    """
    live = select(func.count()).where(visible(scope), _came_here(), JobRow.state.in_(_LIVE))
    # Written so that no index of keys serves: it would have all that the key ever asked read.
    ended = _labels().where(
        func.coalesce(JobRow.api_key_id, "") == scope, JobRow.completed_at >= since
    )
    is_begun = or_(JobRow.state == JobState.RUNNING.value, JobRow.id.in_(list(begun)))
    running = _labels().where(visible(scope), is_begun)
    with db.read() as session:
        remaining = session.scalar(live) or 0
        ids = [
            *_of(client, session, ended.order_by(JobRow.completed_at)),
            *_of(client, session, running.order_by(JobRow.created_at)),
        ]
    return Sight(remaining, tuple(dict.fromkeys(ids)))


def _came_here() -> ColumnElement[bool]:
    return JobRow.door == DOOR


def _labels() -> Select[tuple[str, dict[str, str]]]:
    return select(JobRow.id, JobRow.labels).where(_came_here())


def _of(client: str, session: Session, query: Select[tuple[str, dict[str, str]]]) -> list[str]:
    return [
        job_id for job_id, labels in session.execute(query) if ticket_in(labels).client == client
    ]
