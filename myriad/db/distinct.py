"""The few values that a column of many rows has, by jumping through an index."""

from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session


def distinct_values(
    session: Session, column: InstrumentedAttribute[Any], where: ColumnElement[bool]
) -> list[Any]:
    """Values that `column` has in the rows of `where`, None first if it is one.

    One look into the index for each value ("loose index scan", which neither database
    does for DISTINCT), so the index must begin with what `where` fixes, then the column.
    """
    walk = select(func.min(column).label("value")).where(where).cte("walk", recursive=True)
    following = select(func.min(column)).where(where, column > walk.c.value)
    steps = walk.union_all(
        select(following.correlate(walk).scalar_subquery()).where(walk.c.value.is_not(None))
    )
    values = list(session.scalars(select(steps.c.value).where(steps.c.value.is_not(None))))
    has_none = session.scalar(
        select(column).where(where, column.is_(None)).limit(1).exists().select()
    )
    return [None, *values] if has_none else values
