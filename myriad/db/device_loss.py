"""Jobs on whose devices something broke."""

from sqlalchemy import func, select

from myriad.db.database import Database
from myriad.db.tables import StageRunRow
from myriad.errors import DeviceLost


def times_lost(db: Database, job_id: str) -> int:
    """How many attempts at the job, at any stage, ended with a lost device."""
    query = select(func.count()).where(
        StageRunRow.job_id == job_id, StageRunRow.outcome == DeviceLost.code
    )
    with db.read() as session:
        return session.scalar(query) or 0
