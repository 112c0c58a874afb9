"""One farm per home folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from myriad.errors import Conflict
from myriad.up.lock import hold
from tests.processes import ROOT

HOLD_AND_DIE = """
import os, signal, subprocess, sys
from pathlib import Path
from myriad.up.lock import hold
with hold(Path(sys.argv[1])) as fd:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"], pass_fds=(fd,))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_second_farm_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with hold(tmp_path), pytest.raises(Conflict, match=f"pid {os.getpid()}"), hold(tmp_path):
        pass


def test_the_folder_is_free_again_afterwards(tmp_path: Path) -> None:
    with hold(tmp_path):
        pass
    with hold(tmp_path) as fd:
        assert os.pread(fd, 20, 0) == str(os.getpid()).encode()


def test_leftovers_of_a_killed_farm_are_waited_for(tmp_path: Path) -> None:
    killed = subprocess.run((sys.executable, "-c", HOLD_AND_DIE, str(tmp_path)), cwd=ROOT)
    assert killed.returncode == -9
    with hold(tmp_path) as fd:
        assert os.pread(fd, 20, 0) == str(os.getpid()).encode()
