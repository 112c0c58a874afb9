"""The life of a farm on one machine: everything started, watched, and stopped in order."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import click

from myriad import clock
from myriad.db.migrate import upgrade
from myriad.embedded import EmbeddedValkey
from myriad.errors import MyriadError
from myriad.exposure import check_exposure
from myriad.farm import open_farm
from myriad.settings import Settings
from myriad.up.console import Console
from myriad.up.guard import Guard
from myriad.up.interrupt import Interrupt, listen
from myriad.up.lock import hold
from myriad.up.programs import broker, environment, farm_programs, is_worker, log_path
from myriad.up.supervisor import TICK_S, Supervisor, grace_s

_HOPELESS_CRASHES = 4
_DRAWING_GRACE_S = 5.0


def run_farm(settings: Settings, prompt: str | None, *, is_once: bool) -> int:
    """Run until told to stop; with `is_once`, until the prompt is drawn. `home` is absolute.

    Returns the exit code: that of the drawing with `is_once`, else 0. Raises
    MyriadError if the farm cannot start.
    """
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (
        hold(settings.home) as lock,
        listen() as interrupt,
        Guard(keep_fds=(lock,)) as guard,
        closing(Console(logs)) as console,
        closing(LocalFarm(settings, guard, console, interrupt)) as farm,
    ):
        farm.start()
        return farm.serve(prompt, is_once)


class LocalFarm:
    """The processes of one `myriad up`. Raises ConfigError before any of them starts."""

    def __init__(
        self, settings: Settings, guard: Guard, console: Console, interrupt: Interrupt
    ) -> None:
        self._valkey = None if settings.redis_url else EmbeddedValkey(settings.home / "valkey")
        if self._valkey is not None:
            settings = settings.model_copy(update={"redis_url": self._valkey.url})
        self._settings = settings
        self._farm = open_farm(settings)
        self._supervisor = Supervisor(guard, console.say, grace_s=grace_s(settings))
        self._console = console
        self._interrupt = interrupt
        self._drawing: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start all and wait until it is ready, or until we are told to stop."""
        if self._valkey is not None:
            self._supervisor.start(broker(self._settings, self._valkey))
            self._wait_until_ready()
        upgrade(self._settings.database)
        check_exposure(self._settings, self._farm.db)
        for program in farm_programs(self._settings, self._farm.pools, self._farm.db):
            self._supervisor.start(program)
        self._wait_until_ready()

    def serve(self, prompt: str | None, is_once: bool) -> int:
        """Draw the prompt, if any, and stay up; returns the exit code."""
        if self._interrupt.is_asked():
            return 0
        url = self._settings.public_url or self._settings.local_url
        click.echo(f"\nMyriad is ready: open {url} (Ctrl-C stops it)\n")
        drawing = self._drawing = None if prompt is None else _draw(self._settings, prompt)

        def is_over() -> bool:
            is_drawn = drawing is not None and drawing.poll() is not None
            return self._is_lost() or (is_once and is_drawn)

        self._keep(is_over)
        if self._is_lost():
            names = ", ".join(program.name for program in self._supervisor.given_up)
            raise MyriadError(f"given up: {names}; see {self._settings.home / 'logs'}")
        return drawing.returncode or 0 if is_once and drawing else 0

    def close(self) -> None:
        """Stop everything, in order."""
        if self._drawing is not None:
            _end(self._drawing)
        self._supervisor.stop(self._interrupt.is_urgent)
        self._console.echo_warnings()
        self._farm.close()

    def _wait_until_ready(self) -> None:
        self._keep(lambda: self._supervisor.is_ready or self._is_hopeless())
        worst = self._supervisor.most_crashes
        if worst is not None and self._is_hopeless():
            name = worst.program.name
            raise MyriadError(f"{name} does not start; see {log_path(self._settings, name)}")

    def _is_lost(self) -> bool:
        """Whether the farm lacks for good what it needs: any program but one worker of several."""
        given_up = self._supervisor.given_up
        if not given_up:
            return False
        left = [each for each in self._supervisor.programs if each not in given_up]
        return not all(map(is_worker, given_up)) or not any(map(is_worker, left))

    def _is_hopeless(self) -> bool:
        worst = self._supervisor.most_crashes
        return worst is not None and worst.crashes >= _HOPELESS_CRASHES

    def _keep(self, is_over: Callable[[], bool]) -> None:
        """Keep the programs running until `is_over`, or until we are told to stop."""
        while not is_over() and not self._interrupt.is_asked():
            self._supervisor.tick()
            self._console.echo_warnings()
            time.sleep(TICK_S)


def _draw(settings: Settings, prompt: str) -> "subprocess.Popen[bytes]":
    """`myriad generate` on our own farm, into a new file under home."""
    output: Path = settings.home / "outputs" / f"{clock.now():%Y%m%d-%H%M%S}.png"
    command = ("generate", "--url", settings.local_url, "--output", str(output), "--", prompt)
    return subprocess.Popen((sys.executable, "-m", "myriad", *command), env=environment(settings))


def _end(drawing: "subprocess.Popen[bytes]") -> None:
    """Let a drawing that heard the same Ctrl-C cancel its job; then make it end."""
    try:
        drawing.wait(_DRAWING_GRACE_S)
    except subprocess.TimeoutExpired:
        drawing.kill()
        drawing.wait()
