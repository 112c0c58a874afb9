"""Dispatch: publish hints for due jobs while their queue is shallow."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from myriad.db.due import Hint, take_due
from myriad.db.share import has_several_callers
from myriad.db.waiting import due_models
from myriad.db.workers import live_slots
from myriad.farm import Farm
from myriad.fault import fault
from myriad.job import Stage
from myriad.pool import Pool
from tasks.app import task_name
from tasks.crowd import NOBODY, Crowd, Crowds, hands_on
from tasks.trouble_watch import TroubleWatch

MODEL = "model"
"""The header of a hint that names the job's model."""

_DEPTH_PER_SLOT = 2
_FAIR_DEPTH_PER_SLOT = 1
"""With several callers: who comes anew waits behind what is in the queue."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Sight:
    """What one round goes by: due models by stage, the depth of each pool's queues, crowds."""

    due: Mapping[Stage, Collection[str]] = field(default_factory=dict)
    depths: Mapping[str, int] = field(default_factory=dict)
    crowds: Mapping[Stage, Crowd] = field(default_factory=dict)

    def crowd(self, pool: Pool, stage: Stage) -> Crowd:
        """Whom the pool need not work ahead for."""
        return self.crowds.get(stage, NOBODY) if hands_on(pool, stage) else NOBODY


class Dispatcher:
    """Moves work from rows to queues; safe to run anywhere, any number of times at once."""

    def __init__(self, farm: Farm, celery: Celery) -> None:
        self._farm = farm
        self._celery = celery
        self._crowds = Crowds(farm)
        self._trouble = TroubleWatch(farm)

    def run(self) -> int:
        """Publish what is due; returns how many hints went out.

        A broker that is away costs latency only: what was taken is due again
        after `redispatch_s`. Raises DatabaseUnavailable.
        """
        sight = self._look()
        try:
            return sum(
                self._fill(pool, stage, sight)
                for stage in sight.due
                for pool in self._farm.pools
                if stage in pool.stages
            )
        except (RedisError, OperationalError, OSError) as error:
            _log.warning("broker_away", error=str(error))
            return 0

    def _look(self) -> _Sight:
        with self._farm.db.read() as session:
            due = due_models(session)
            if not due:
                return _Sight()
            slots = self._slots(session)
            several = has_several_callers(session)
            per_slot = _FAIR_DEPTH_PER_SLOT if several else _DEPTH_PER_SLOT
            depths = {name: per_slot * number for name, number in slots.items()}
            return _Sight(due, depths, self._crowds.find(session, due, slots))

    def _slots(self, session: Session) -> dict[str, int]:
        """Task slots by pool: of live workers, or of those the pool should have."""
        live = live_slots(session, within_s=self._farm.settings.lease_s)
        return {
            pool.name: live.get(pool.name) or pool.concurrency * pool.workers
            for pool in self._farm.pools
        }

    def _fill(self, pool: Pool, stage: Stage, sight: _Sight) -> int:
        models = {model for model in sight.due[stage] if pool.serves(stage, model)}
        if not models:
            return 0
        queue = pool.queue(stage)
        room = sight.depths[pool.name] - int(self._farm.redis.llen(queue))
        hints = self._take(pool, stage, models, room, sight.crowd(pool, stage))
        for hint in hints:
            fault("after_take_before_publish")
            self._publish(hint, queue)
        return len(hints)

    def _take(
        self, pool: Pool, stage: Stage, models: set[str], room: int, crowd: Crowd
    ) -> list[Hint]:
        take = partial(
            take_due, self._farm.db, pool, stage, redispatch_s=self._farm.settings.redispatch_s
        )
        shut = set(self._trouble.models(pool, stage))
        hints: list[Hint] = []
        if crowd.is_passed:
            hints += take(limit=room, without=shut, above=crowd.priority)
        if models - shut - crowd.models:
            hints += take(limit=room - len(hints), without=shut | crowd.models)
        for model in self._trouble.to_probe(pool, stage):
            probe = take(limit=1, only=model)
            if not probe:
                self._trouble.not_probed(pool, stage, model)
            hints += probe
        return hints

    def _publish(self, hint: Hint, queue: str) -> None:
        # Celery sends to a plain queue through the anonymous exchange, which keeps
        # no binding in Redis: a flushed broker carries the next hint as before.
        try:
            self._celery.send_task(
                task_name(hint.stage), args=[hint.job_id], queue=queue, headers=_headers(hint)
            )
        except AttributeError as error:
            # kombu reaches for the connection of a channel that has just lost it.
            raise OperationalError("the broker's connection broke") from error


def _headers(hint: Hint) -> dict[str, str]:
    headers = {MODEL: hint.model}
    return headers | {"traceparent": hint.traceparent} if hint.traceparent else headers
