"""Where so much waits already that nobody need work ahead for it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from myriad.db.waiting import Line, has_above, lines_at
from myriad.farm import Farm
from myriad.job import Stage
from myriad.pool import Pool

_WAITING_PER_SLOT = 4

Takers = tuple[str, ...]
"""The pools, by name, that serve a stage of a model."""


@dataclass(frozen=True)
class Crowd:
    """Models of which enough waits at the next stage.

    Jobs above `priority` are more urgent than all that wait there and go on to it;
    `is_passed` if there are any.
    """

    models: frozenset[str] = frozenset()
    priority: int = 0
    is_passed: bool = False


NOBODY = Crowd()


def hands_on(pool: Pool, stage: Stage) -> bool:
    """Whether the pool leaves the stage after this one to others."""
    return stage.next is not None and stage.next not in pool.stages


class Crowds:
    """What waits between two stages lies in Redis for the most part.

    A pool that does its stage faster than others do the next would fill it with the
    whole backlog, and a full Redis takes no hints. So it works ahead no further than
    four jobs for each slot of those who go on with them.
    """

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._handed_on = {
            stage for pool in farm.pools for stage in pool.stages if hands_on(pool, stage)
        }

    def find(
        self, session: Session, due: Collection[Stage], slots: Mapping[str, int]
    ) -> dict[Stage, Crowd]:
        """The crowd before each of the due stages; asks for none where no pool hands on."""
        next_of = {stage: stage.next for stage in self._handed_on.intersection(due) if stage.next}
        if not next_of:
            return {}
        lines = lines_at(session, set(next_of.values()))
        return {
            stage: self._crowd(session, stage, following, lines[following], slots)
            for stage, following in next_of.items()
        }

    def _crowd(
        self,
        session: Session,
        stage: Stage,
        following: Stage,
        lines: Iterable[Line],
        slots: Mapping[str, int],
    ) -> Crowd:
        by_takers: defaultdict[Takers, list[Line]] = defaultdict(list)
        for line in lines:
            by_takers[self._takers(following, line.model)].append(line)
        full = {
            takers: crowd for takers, crowd in by_takers.items() if _is_full(crowd, takers, slots)
        }
        if not full:
            return NOBODY
        waiting = [line for crowd in full.values() for line in crowd]
        # Models of which none waits too: those who would go on with them have enough to do.
        known = {*self._farm.catalog, *(line.model for line in waiting)}
        priority = max(line.priority for line in waiting)
        return Crowd(
            models=frozenset(each for each in known if self._takers(following, each) in full),
            priority=priority,
            is_passed=has_above(session, stage, priority),
        )

    def _takers(self, stage: Stage, model: str) -> Takers:
        return tuple(pool.name for pool in self._farm.pools if pool.serves(stage, model))


def _is_full(crowd: Iterable[Line], takers: Takers, slots: Mapping[str, int]) -> bool:
    places = _WAITING_PER_SLOT * sum(slots[name] for name in takers)
    return sum(line.length for line in crowd) >= places
