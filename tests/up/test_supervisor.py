"""Programs are kept running and stopped in order: real processes, real signals."""

import os
import signal
from pathlib import Path

from myriad.settings import Settings
from myriad.up.process import Program
from myriad.up.supervisor import Supervisor, grace_s
from tests.processes import wait_until
from tests.up.conftest import SLEEP, STUBBORN, MakeProgram, Told, is_running, tick_until


def test_what_is_killed_is_started_again(
    supervisor: Supervisor, program: MakeProgram, told: Told
) -> None:
    supervisor.start(program("worker"))
    os.kill(told.pids("worker")[0], signal.SIGKILL)
    tick_until(supervisor, lambda: len(told.pids("worker")) == 2)
    assert ("worker", "killed by SIGKILL; starting again in 0.05 s") in told.lines
    first, second = told.pids("worker")
    assert not is_running(first)
    assert is_running(second)


def test_what_keeps_crashing_is_waited_for_longer_and_counted(
    supervisor: Supervisor, program: MakeProgram, told: Told
) -> None:
    supervisor.start(program("worker", "raise SystemExit(3)"))
    tick_until(supervisor, lambda: len(told.pids("worker")) == 3)
    delays = [line for _, line in told.ends()]
    assert delays[:2] == [
        "exited with code 3; starting again in 0.05 s",
        "exited with code 3; starting again in 0.1 s",
    ]
    worst = supervisor.most_crashes
    assert worst is not None
    assert worst.crashes >= 2


def test_what_crashes_again_and_again_is_given_up_loudly_and_alone(
    supervisor: Supervisor, program: MakeProgram, told: Told
) -> None:
    supervisor.start(program("web"))
    supervisor.start(program("worker", "raise SystemExit(75)"))
    tick_until(supervisor, lambda: bool(supervisor.given_up))
    for _ in range(5):
        supervisor.tick()
    assert told.lines[-1] == (
        "worker",
        "left, unable to work (code 75; its log says why); GIVEN UP after 4 crashes in a row",
    )
    assert len(told.pids("worker")) == 4
    assert [each.name for each in supervisor.given_up] == ["worker"]
    assert is_running(told.pids("web")[0])


def test_is_ready_once_every_program_says_so(
    supervisor: Supervisor, program: MakeProgram, tmp_path: Path
) -> None:
    sign = tmp_path / "ready"
    plain = program("web")
    supervisor.start(program("janitor"))
    supervisor.start(Program("web", plain.start, is_ready=lambda pid: sign.exists()))
    supervisor.tick()
    assert not supervisor.is_ready
    sign.touch()
    supervisor.tick()
    assert supervisor.is_ready


def test_stops_by_rank_and_leaves_nothing(
    supervisor: Supervisor, program: MakeProgram, told: Told
) -> None:
    for name, rank in (("valkey", 4), ("web", 0), ("worker", 1)):
        supervisor.start(program(name, rank=rank))
    supervisor.stop()
    stops = [name for name, line in told.lines if line == "stopped"]
    assert stops == ["web", "worker", "valkey"]
    assert not any(is_running(told.pids(name)[0]) for name in stops)


def test_what_does_not_stop_is_killed(
    supervisor: Supervisor, program: MakeProgram, told: Told, tmp_path: Path
) -> None:
    supervisor.start(program("deaf", f"{STUBBORN}; {SLEEP}"))
    wait_until(lambda: "deaf" in (tmp_path / "deaf.log").read_text())
    supervisor.stop(is_urgent=lambda: True)
    assert told.lines[-1][1].startswith("killed")
    assert not is_running(told.pids("deaf")[0])


def test_each_may_take_as_long_to_stop_as_the_settings_let_it() -> None:
    assert grace_s(Settings()) == 30
    assert grace_s(Settings(drain_s=300)) > 300
    assert grace_s(Settings(web_linger_s=300)) > 305  # web ends its requests after that
    assert grace_s(Settings(webhook_timeout_s=60)) > 60


def test_children_of_a_dead_program_do_not_survive_it(
    supervisor: Supervisor, program: MakeProgram, told: Told, tmp_path: Path
) -> None:
    spawn = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {SLEEP!r}])"
    supervisor.start(program("web", f"{spawn}; print(p.pid, flush=True); {SLEEP}"))
    log = tmp_path / "web.log"
    wait_until(lambda: log.read_text().endswith("\n"))
    os.kill(told.pids("web")[0], signal.SIGKILL)
    tick_until(supervisor, lambda: len(told.pids("web")) == 2)
    wait_until(lambda: not is_running(int(log.read_text().split()[0])))
