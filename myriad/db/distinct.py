"""The few values that a column of many rows has, by jumping through an index."""

from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, func, literal, null, select
from sqlalchemy.orm import InstrumentedAttribute, Session


def each_value(column: InstrumentedAttribute[Any], where: ColumnElement[bool]) -> Select[Any]:
    """Asks for the values, NULL left out, that `column` has in the rows of `where`.

    One look into the index for each value ("loose index scan", which neither database
    does for DISTINCT), so the index must begin with what `where` fixes, then the column.
    """
    walk = select(func.min(column).label("value")).where(where).cte(recursive=True)
    following = select(func.min(column)).where(where, column > walk.c.value)
    steps = walk.union_all(
        select(following.correlate(walk).scalar_subquery()).where(walk.c.value.is_not(None))
    )
    return select(steps.c.value).where(steps.c.value.is_not(None))


def each_value_or_none(
    column: InstrumentedAttribute[Any], where: ColumnElement[bool]
) -> CompoundSelect[Any]:
    """Asks for the same, and for NULL too if some row has that."""
    has_none = select(literal(1)).where(where, column.is_(None)).exists()
    return select(null()).where(has_none).union_all(each_value(column, where))


def distinct_values(
    session: Session, column: InstrumentedAttribute[Any], where: ColumnElement[bool]
) -> list[Any]:
    """Values that `column` has in the rows of `where`, None too if it is one."""
    return list(session.scalars(each_value_or_none(column, where)))
