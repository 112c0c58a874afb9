"""However the supervisor goes, its processes go with it."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from myriad.up.guard import Guard
from tests.processes import ROOT, wait_until
from tests.up.conftest import SLEEP, is_running

SUPERVISOR = f"""
import os, sys, time
from pathlib import Path
from myriad.up.guard import Guard
from myriad.up.process import Program, command
from myriad.up.supervisor import Supervisor
supervisor = Supervisor(Guard(), lambda name, line: print(line.split()[-1], flush=True))
for name in "ab":
    argv = (sys.executable, "-c", {SLEEP!r})
    supervisor.start(Program(name, command(argv, env=os.environ, log=Path(sys.argv[1]) / name)))
time.sleep(600)
"""


def test_kill_9_of_the_supervisor_leaves_no_child(tmp_path: Path) -> None:
    argv = (sys.executable, "-c", SUPERVISOR, str(tmp_path))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(supervisor.stdout.readline()) for _ in range(2)]
        assert all(is_running(pid) for pid in pids)
        supervisor.kill()
    wait_until(lambda: not any(is_running(pid) for pid in pids))


def test_a_killed_guard_is_replaced_and_still_knows_all() -> None:
    sleeper = (sys.executable, "-c", SLEEP)
    first, second = (subprocess.Popen(sleeper, start_new_session=True) for _ in range(2))
    with ThreadPoolExecutor(2) as threads:
        ends = [threads.submit(process.wait) for process in (first, second)]
        with Guard() as guard:
            guard.watch(first.pid)
            os.kill(guard.pid, signal.SIGKILL)
            wait_until(lambda: not is_running(guard.pid))
            guard.watch(second.pid)
        assert [end.result() for end in ends] == [-signal.SIGTERM] * 2
