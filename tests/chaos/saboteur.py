"""Breaks one thing at a time, in an order that follows from the seed, and mends it again."""

import random
import resource
import signal
import time
from collections.abc import Iterable, Sequence
from threading import Event

from redis.exceptions import RedisError

from myriad.errors import MyriadError
from myriad.job import Stage
from tasks.app import create_celery, task_name
from tests.chaos.world import World

_REACHED_WITHIN_S = 20.0
_HOUR_S = 3600.0
_OUTAGE_S = (1.0, 8.0)
_STRAY = 20
# A picture of the deterministic engine has 32 bytes: no file of that size fits any more.
_FULL_BYTES = 16


class Saboteur:
    """Does faults by name, such as "kill web"; each is a line of the history.

    Leaves everything mended. `jobs` are the ids it may send stray hints for.
    """

    def __init__(self, world: World, seed: int, jobs: Sequence[str]) -> None:
        self.world = world
        self.dice = random.Random(seed)
        self.kills = 0
        self._jobs = jobs
        self._celery = create_celery(world.farm.settings)
        self._actions = {
            "kill": self._kill,
            "point": self._reach,
            "freeze": self._freeze,
            "broker": self._crash_broker,
            "flush": self._flush,
            "hints": self._spoil_hints,
            "database": self._stop_database,
            "s3": self._spoil_s3,
            "clock": self._set_clock,
            "disk": self._fill_disk,
        }

    def run(self, names: Iterable[str], every_s: float, stop: Event) -> None:
        """One fault after the other, on the average `every_s` apart."""
        due = time.monotonic()
        for name in names:
            due = max(due + self.dice.uniform(0.4, 1.6) * every_s, time.monotonic())
            if stop.wait(max(0.0, due - time.monotonic())):
                return
            try:
                self.do(name)
            except (RedisError, MyriadError, OSError) as error:
                self.world.history.tell("not done", why=f"{name}: {error}")

    def do(self, name: str) -> None:
        """Do the fault of that name."""
        action, _, what = name.partition(" ")
        self.world.history.tell("fault", name=name)
        self._actions[action](what)

    def _kill(self, kind: str) -> None:
        name = self.dice.choice(self.world.crew.names(kind))
        while not self.world.crew.kill(name):
            time.sleep(0.05)  # it is just being started again
        self._count("kill", kind)

    def _reach(self, point: str) -> None:
        """Arm a named fault point and wait until somebody has died there."""
        armed = self.world.faults / point
        armed.touch()
        end = time.monotonic() + _REACHED_WITHIN_S
        while armed.exists() and time.monotonic() < end:
            time.sleep(0.02)
        try:
            armed.unlink()
        except FileNotFoundError:
            self._count("point", point)
        else:
            self.world.history.tell("not reached", point=point)

    def _crash_broker(self, how: str) -> None:
        self.world.broker.crash(forgets=how == "forgets")
        self._count("kill", "broker")
        time.sleep(self.dice.uniform(0, 1))
        self.world.broker.start()

    def _flush(self, _: str) -> None:
        self.world.farm.redis.flushall()

    def _freeze(self, kind: str) -> None:
        """SIGSTOP for longer than a lease, then SIGCONT."""
        name = self.dice.choice(self.world.crew.names(kind))
        if self.world.crew.signal(name, signal.SIGSTOP):
            time.sleep(self.world.farm.settings.lease_s * self.dice.uniform(1.2, 1.8))
            self.world.crew.signal(name, signal.SIGCONT)

    def _spoil_hints(self, how: str) -> None:
        """Lose what is in the queues, or send hints twice and where none is due."""
        queues = [pool.queue(stage) for pool in self.world.farm.pools for stage in Stage]
        if how == "lost":
            self.world.farm.redis.delete(*queues)
            return
        for queue in queues:
            for message in self.world.farm.redis.lrange(queue, 0, 20):
                self.world.farm.redis.rpush(queue, message)
        self._send_stray(queues)

    def _send_stray(self, queues: list[str]) -> None:
        """Hints for any stage of any job, whatever it is at."""
        jobs = list(self._jobs)
        for job_id in self.dice.sample(jobs, min(len(jobs), _STRAY)):
            stage = self.dice.choice(list(Stage))
            queue = next(name for name in queues if name.startswith(stage.value))
            self._celery.send_task(task_name(stage), args=[job_id], queue=queue)

    def _stop_database(self, _: str) -> None:
        assert self.world.postgres
        self.world.postgres.stop()
        time.sleep(self.dice.uniform(*_OUTAGE_S))
        self.world.postgres.start()

    def _spoil_s3(self, trouble: str) -> None:
        assert self.world.s3
        self.world.s3.trouble = trouble  # type: ignore[assignment]
        self._linger()
        self.world.s3.trouble = "none"

    def _set_clock(self, how: str) -> None:
        """An hour forward or back, and true again later."""
        off_s = _HOUR_S if how == "forward" else -_HOUR_S
        for offset_s in (off_s, 0.0):
            self.world.clock.set(offset_s)
            self.world.history.tell("clock", offset_s=offset_s)
            self._linger()

    def _fill_disk(self, _: str) -> None:
        """No process of the farm can write a file of more than a few bytes."""
        names = [*self.world.crew.names("worker"), *self.world.crew.names("web")]
        for name in names:
            self._limit(name, _FULL_BYTES)
        self._linger()
        for name in names:
            self._limit(name, resource.RLIM_INFINITY)

    def _limit(self, name: str, most_bytes: int) -> None:
        pid = self.world.crew.pid(name)
        try:
            if pid is not None:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))
        except ProcessLookupError:
            self.world.history.tell("not done", why=f"{name} has just died")

    def _linger(self) -> None:
        """Leave the trouble as it is for a good part of a lease."""
        time.sleep(self.dice.uniform(0.4, 0.9) * self.world.farm.settings.lease_s)

    def _count(self, how: str, what: str) -> None:
        self.kills += 1
        self.world.history.tell("kill", how=how, of=what)
