"""Warnings of every process reach the console, and nothing else does."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from myriad.up.log_tail import LogTail
from tests.processes import ROOT

SPEAK = """
import logging, warnings
import structlog
from myriad.log import set_up_logging
from myriad.settings import load_settings
set_up_logging(load_settings())
logging.getLogger("web").info("all is well")
logging.getLogger("web").warning("disk 红色 nearly full")
structlog.get_logger("web").error("disk_full", path="/")
warnings.warn("a library's own deprecation")
"""


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_repeats_warnings_and_worse_in_either_format(log_format: str, tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text("[error    ] of an earlier run\n")
    with closing(LogTail(path)) as tail:
        with path.open("a") as log:
            env = os.environ | {"MYRIAD_LOG_FORMAT": log_format, "PYTHONIOENCODING": "utf-8"}
            subprocess.run((sys.executable, "-c", SPEAK), stderr=log, env=env, cwd=ROOT, check=True)
        lines = tail.warnings()
        assert ["红色" in lines[0], "disk_full" in lines[1], len(lines)] == [True, True, 2]
        assert tail.warnings() == []
    assert "all is well" in path.read_text("utf-8")
    assert "own deprecation" in path.read_text("utf-8")


def test_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    with closing(LogTail(path)) as tail, path.open("a") as log:
        log.write("[error    ] half")
        log.flush()
        assert tail.warnings() == []
        log.write(" and half\n")
        log.flush()
        assert tail.warnings() == ["[error    ] half and half"]
