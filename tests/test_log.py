"""Log lines: one a line, whatever strangers wrote, and without what is nobody's business."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
import structlog

from myriad.discretion import discreet
from myriad.log import set_up_logging
from myriad.settings import Settings

FORGED = "x\r\n2026-11-21T00:00:00Z [info] paid job=1 \x1b[2K\x9b1A \u2028{} \u202e key='root'"
PROMPT = "a lighthouse\nat 'night'"

Told = Callable[[], str]


@pytest.fixture(params=["console", "json"])
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """Logging as a process has it, and what it has said."""
    stream = StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root, handlers, level = logging.getLogger(), logging.getLogger().handlers[:], logging.root.level
    set_up_logging(Settings(log_format=request.param))
    yield stream.getvalue
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_nobody_can_forge_a_line(told: Told) -> None:
    structlog.get_logger("ours").warning("refused", why=FORGED, field=[FORGED])
    structlog.get_logger("ours").warning(FORGED)
    logging.getLogger("library").warning("bad header %s", FORGED)
    text = told()
    assert len(text.splitlines()) == 3
    assert text.isascii() or not set(text) & set("\x1b\x9b\u2028\u202e\r")


def test_a_traceback_is_told_without_forging_a_line(told: Told) -> None:
    try:
        secret = "hunter2-hunter2"
        raise ValueError(f"cannot read {FORGED}{secret[:0]}")
    except ValueError:
        structlog.get_logger("ours").exception("stage_broke")
    text = told()
    assert "ValueError: cannot read" in text
    assert "hunter2-hunter2" not in text.replace('secret = "hunter2-hunter2"', "")
    assert not set(text) & set("\x1b\x9b\u2028\u202e\r")
    first, *rest = text.splitlines()
    assert "stage_broke" in first
    assert all(line.startswith("    ") for line in rest)


def test_json_is_json(told: Told) -> None:
    structlog.get_logger("ours").info("answered", route="/", status=200, text="中文")
    text = told()
    if text.startswith("{"):
        line = json.loads(text)
        assert (line["event"], line["status"], line["text"]) == ("answered", 200, "中文")
        assert (line["level"], line["logger"]) == ("info", "ours")
    else:
        assert "status=200" in text
        assert "text=中文" in text


def test_what_must_not_be_told_is_left_out(told: Told) -> None:
    log = structlog.get_logger("ours")
    with discreet((PROMPT, None, "short")):
        log.warning("refused", why=f"too long: {PROMPT}", count=1, note="short")
        logging.getLogger("library").warning("no idea what %r is", PROMPT)
        try:
            raise ValueError(PROMPT)
        except ValueError:
            log.exception("stage_broke")
    assert "lighthouse" not in told()
    assert told().count("…") == 3
    assert "short" in told()
    log.warning("afterwards", why=PROMPT)
    assert "lighthouse" in told()
