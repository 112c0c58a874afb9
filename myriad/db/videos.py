"""Which of a caller's jobs are videos."""

from sqlalchemy import select, tuple_

from myriad.db.database import Database
from myriad.db.jobs import visible
from myriad.db.tables import JobRow
from myriad.errors import InvalidRequest


def list_videos(
    db: Database, *, scope: str | None, after: str | None, limit: int, is_newest_first: bool
) -> tuple[list[str], bool]:
    """Ids of jobs for more than one frame, and whether there are more of them.

    The list goes on after the job `after`; raises InvalidRequest if that is not the caller's.
    """
    place = tuple_(JobRow.created_at, JobRow.id)
    query = select(JobRow.id).where(visible(scope), JobRow.params["num_frames"].as_integer() > 1)
    with db.read() as session:
        if after is not None:
            last = session.scalar(select(JobRow).where(JobRow.id == after, visible(scope)))
            if last is None:
                raise InvalidRequest("names no video of yours", field="after")
            edge = (last.created_at, last.id)
            query = query.where(place < edge if is_newest_first else place > edge)
        columns = (JobRow.created_at, JobRow.id)
        query = query.order_by(*(each.desc() if is_newest_first else each for each in columns))
        found = list(session.scalars(query.limit(limit + 1)))
    return found[:limit], len(found) > limit
