"""Dispatch: publish hints for due jobs while their queue is shallow."""

from collections.abc import Iterable
from functools import partial

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from myriad.db.due import Hint, has_due, take_due
from myriad.db.share import has_several_callers
from myriad.db.workers import live_workers
from myriad.farm import Farm
from myriad.fault import fault
from myriad.job import Stage
from myriad.pool import Pool
from tasks.app import task_name
from tasks.trouble_watch import TroubleWatch

_DEPTH_PER_SLOT = 2
_FAIR_DEPTH_PER_SLOT = 1
"""With several callers: who comes anew waits behind what is in the queue."""

_log = structlog.get_logger(__name__)


class Dispatcher:
    """Moves work from rows to queues; safe to run anywhere, any number of times at once."""

    def __init__(self, farm: Farm, celery: Celery) -> None:
        self._farm = farm
        self._celery = celery
        self._trouble = TroubleWatch(farm)

    def run(self, stages: Iterable[Stage] = tuple(Stage)) -> int:
        """Publish what is due; returns how many hints went out.

        A broker that is away costs latency only: what was taken is due again
        after `redispatch_s`. Raises DatabaseUnavailable.
        """
        due = [stage for stage in stages if has_due(self._farm.db, stage)]
        if not due:
            return 0
        slots = self._slots()
        several = has_several_callers(self._farm.db)
        per_slot = _FAIR_DEPTH_PER_SLOT if several else _DEPTH_PER_SLOT
        try:
            return sum(
                self._fill(pool, stage, per_slot * slots[pool.name])
                for stage in due
                for pool in self._farm.pools
                if stage in pool.stages
            )
        except (RedisError, OperationalError, OSError) as error:
            _log.warning("broker_away", error=str(error))
            return 0

    def _slots(self) -> dict[str, int]:
        """Task slots by pool: of live workers, or of those the pool should have."""
        slots = {pool.name: 0 for pool in self._farm.pools}
        for worker in live_workers(self._farm.db, within_s=self._farm.settings.lease_s):
            if worker.pool in slots:
                slots[worker.pool] += worker.slots
        return {
            pool.name: slots[pool.name] or pool.concurrency * pool.workers
            for pool in self._farm.pools
        }

    def _fill(self, pool: Pool, stage: Stage, depth: int) -> int:
        queue = pool.queue(stage)
        waiting = int(self._farm.redis.llen(queue))
        take = partial(
            take_due, self._farm.db, pool, stage, redispatch_s=self._farm.settings.redispatch_s
        )
        shut = self._trouble.models(pool, stage)
        hints = take(limit=depth - waiting, without=shut)
        for model in self._trouble.to_probe(pool, stage):
            probe = take(limit=1, only=model)
            if not probe:
                self._trouble.not_probed(pool, stage, model)
            hints += probe
        for hint in hints:
            fault("after_take_before_publish")
            self._publish(hint, queue)
        return len(hints)

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


def _headers(hint: Hint) -> dict[str, str] | None:
    return {"traceparent": hint.traceparent} if hint.traceparent else None
