"""Keeps a set of programs running, and stops them in order. One thread, no callbacks."""

import signal
import time
from collections.abc import Callable, Iterable
from itertools import groupby

from myriad.settings import Settings
from myriad.up.guard import Guard
from myriad.up.process import Child, Program, how_it_ended, signal_group
from myriad.up.restart import RestartPolicy

TICK_S = 0.1
_SHORTEST_GRACE_S = 30.0

Say = Callable[[str, str], None]
"""Told the name of a program and what has become of it."""


def grace_s(settings: Settings) -> float:
    """Seconds that a program of the farm may take to stop, by what the settings allow each.

    A worker may hand back its jobs, web serve on and end its requests, the sender end
    its deliveries.
    """
    longest = max(settings.drain_s, settings.web_linger_s + 5, settings.webhook_timeout_s)
    return max(_SHORTEST_GRACE_S, longest + 5)


class Supervisor:
    """Starts programs, restarts what dies, stops all. Use from one thread."""

    def __init__(
        self,
        guard: Guard,
        say: Say,
        *,
        policy: RestartPolicy | None = None,
        grace_s: float = _SHORTEST_GRACE_S,
    ) -> None:
        self._guard = guard
        self._say = say
        self._policy = policy or RestartPolicy()
        self._grace_s = grace_s
        self._children: list[Child] = []

    @property
    def is_ready(self) -> bool:
        """Whether every program has said it is ready."""
        return all(child.is_ready for child in self._children)

    @property
    def given_up(self) -> list[Program]:
        """What crashed so often that it is not started any more."""
        return [child.program for child in self._children if child.is_given_up]

    @property
    def programs(self) -> list[Program]:
        """All that were started, given up or not."""
        return [child.program for child in self._children]

    @property
    def most_crashes(self) -> Child | None:
        """The child that has crashed most often in a row, if any has."""
        worst = max(self._children, key=lambda child: child.crashes, default=None)
        return worst if worst and worst.crashes else None

    def start(self, program: Program) -> None:
        """Run the program from now on."""
        child = Child(program)
        self._children.append(child)
        self._start(child)

    def tick(self) -> None:
        """Look at every child once: reap, start again what is due, ask who is ready."""
        for child in self._children:
            if child.process is not None:
                self._reap(child)
            if child.is_given_up:
                continue
            if child.process is None and time.monotonic() >= child.restart_at:
                self._start(child)
            if child.process is not None and not child.is_ready:
                self._ask(child)

    def stop(self, is_urgent: Callable[[], bool] = lambda: False) -> None:
        """Stop all, lowest rank first; kill what does not go in time, or at once when urgent."""
        ordered = sorted(self._children, key=lambda child: child.program.rank)
        for _, rank in groupby(ordered, key=lambda child: child.program.rank):
            self._stop([child for child in rank if child.process is not None], is_urgent)
        self._children.clear()

    def _start(self, child: Child) -> None:
        pid = child.start()
        self._guard.watch(pid)
        self._say(child.program.name, f"started   pid {pid}")

    def _ask(self, child: Child) -> None:
        assert child.process is not None
        if child.program.is_ready(child.process.pid):
            child.is_ready = True
            self._say(child.program.name, f"ready     pid {child.process.pid}")

    def _reap(self, child: Child) -> None:
        assert child.process is not None
        pid = child.process.pid
        if (code := child.reap()) is None:
            return
        self._guard.forget(pid)
        now = time.monotonic()
        child.crashes = self._policy.crashes(child.crashes, now - child.started_at)
        child.is_given_up = self._policy.is_hopeless(child.crashes)
        delay_s = self._policy.delay_s(child.crashes)
        child.restart_at = now + delay_s
        following = f"starting again in {delay_s:g} s"
        if child.is_given_up:
            following = f"GIVEN UP after {child.crashes} crashes in a row"
        self._say(child.program.name, f"{how_it_ended(code)}; {following}")

    def _stop(self, children: Iterable[Child], is_urgent: Callable[[], bool]) -> None:
        left = list(children)
        for child in left:
            assert child.process is not None
            child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._grace_s
        while left and time.monotonic() < deadline and not is_urgent():
            left = [child for child in left if not self._has_stopped(child)]
            time.sleep(TICK_S / 2)
        for child in left:
            self._kill(child)

    def _has_stopped(self, child: Child) -> bool:
        assert child.process is not None
        pid = child.process.pid
        if (code := child.reap()) is None:
            return False
        self._guard.forget(pid)
        is_fine = code in (0, -signal.SIGTERM)
        self._say(child.program.name, "stopped" if is_fine else how_it_ended(code))
        return True

    def _kill(self, child: Child) -> None:
        assert child.process is not None
        pid = child.process.pid
        signal_group(pid, signal.SIGKILL)
        child.process.wait()
        child.reap()
        self._guard.forget(pid)
        self._say(child.program.name, "killed: it did not stop in time")
