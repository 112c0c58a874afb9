"""What goes into a log line and how: nothing that a stranger wrote can pass for a line of ours."""

import json
import sys
import traceback

from structlog.typing import EventDict, WrappedLogger

from myriad.discretion import hushed

# Ends of lines as anyone may see them, what terminals obey, and what turns text around.
_ODD = (*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_ESCAPED = {code: repr(chr(code))[1:-1] for code in _ODD}
_OURS = frozenset({"level", "logger", "timestamp"})


def hush(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Leave out what `myriad.discretion` names, also from an error's traceback."""
    for name, value in line.items():
        if isinstance(value, str) and name not in _OURS:
            line[name] = hushed(value)
    return line


def show_error(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """The traceback as text, without the values of any variable."""
    error = line.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        line["exception"] = "".join(traceback.format_exception(error)).rstrip("\n")
    return line


def quote(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """For the console: one line, and each value apart from the next."""
    for name, value in line.items():
        if name in ("exception", "stack"):
            line[name] = _indented(str(value))
        elif name == "event":
            line[name] = str(value).translate(_ESCAPED)
        elif isinstance(value, str) and name not in _OURS:
            line[name] = value if _is_plain(value) else repr(value).translate(_ESCAPED)
    return line


def as_json(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    """One JSON object; what JSON lets stand but some readers take for a line's end is escaped."""
    text = json.dumps(line, ensure_ascii=False, default=repr)
    return text.translate({code: f"\\u{code:04x}" for code in _ODD})


def _is_plain(value: str) -> bool:
    return value.isprintable() and not set(value) & set(" =\"'")


def _indented(text: str) -> str:
    """Lines that begin as none of ours does."""
    return "\n".join(f"    {part.translate(_ESCAPED)}" for part in text.splitlines())
