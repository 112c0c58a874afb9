"""What a socket has to look at: few jobs, however many wait and however many are drawn."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from myriad.db.database import Database
from myriad.db.jobs import visible
from myriad.db.live import count_live
from myriad.db.tables import JobRow
from myriad.job import JobState
from web.doors.comfyui.prompting import DOOR
from web.doors.comfyui.ticket import ticket_in


@dataclass(frozen=True)
class Sight:
    """How many of the key's jobs are left, and which of the client's are to be looked at."""

    remaining: int
    job_ids: tuple[str, ...]


def see(db: Database, scope: str, client: str, since: datetime) -> Sight:
    """What ended at `since` or later, and what runs. Of jobs that wait there is nothing to tell."""
    # Written so that no index of keys serves: it would have all that the key ever asked read.
    ended = _labels().where(
        func.coalesce(JobRow.api_key_id, "") == scope, JobRow.completed_at >= since
    )
    running = _labels().where(visible(scope), JobRow.state == JobState.RUNNING.value)
    with db.read() as session:
        job_ids = (
            *_of(client, session, ended.order_by(JobRow.completed_at)),
            *_of(client, session, running.order_by(JobRow.created_at)),
        )
    return Sight(count_live(db, scope=scope, door=DOOR), job_ids)


def _came_here() -> ColumnElement[bool]:
    return JobRow.door == DOOR


def _labels() -> Select[str, dict[str, Any]]:
    return select(JobRow.id, JobRow.labels).where(_came_here())


def _of(client: str, session: Session, query: Select[str, dict[str, Any]]) -> list[str]:
    return [
        job_id for job_id, labels in session.execute(query) if ticket_in(labels).client == client
    ]
