"""What `myriad up` shows: a line per change of a process, and the warnings of all."""

from pathlib import Path

import click

from myriad.up.log_tail import LogTail

_LONG_LOG_BYTES = 10_000_000


class Console:
    """Prints lines that start with the program's name. A long log is put aside at the start."""

    def __init__(self, logs: Path) -> None:
        for path in logs.glob("*.log"):
            if path.stat().st_size > _LONG_LOG_BYTES:
                path.replace(path.with_suffix(".old"))
        self._logs = logs
        self._tails: dict[str, LogTail] = {}

    def say(self, name: str, line: str) -> None:
        """One line about one program, after what it has to say itself."""
        if name not in self._tails:
            self._tails[name] = LogTail(self._logs / f"{name}.log")
        self.echo_warnings()
        click.echo(f"{name:<14} {line}")

    def echo_warnings(self) -> None:
        """Repeat what the programs have logged as a warning or worse since the last call."""
        for name, tail in self._tails.items():
            for line in tail.warnings():
                click.echo(f"{name:<14} {line}", err=True)

    def close(self) -> None:
        """Give the log files back."""
        for tail in self._tails.values():
            tail.close()
