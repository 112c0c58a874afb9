"""What came of the requests: counts by status, and every answer that must not be."""

from collections import Counter
from dataclasses import dataclass, field

from tests.hostile.asked import Asked

ALONE = "/readyz"
"""Without a worker it answers 503, and is right."""
_HONEST = (b"overloaded", b"busy", b"too many are waiting", b"still_running", b"not finished yet")
_SHOWN = 600


@dataclass(frozen=True)
class Answer:
    """`status` is 0 if the connection was closed without a word; None if nothing came in time."""

    status: int | None
    body: bytes = b""
    seconds: float = 0.0
    asks_to_retry: bool = False
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Tally:
    """Counts what `note` is told. An answer that takes longer than `hang_s` counts as none."""

    hang_s: float = 60.0
    statuses: Counter[int | None] = field(default_factory=Counter)
    honest: int = 0
    slowest: tuple[float, str] = (0.0, "")
    failures: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.statuses.total()

    def note(self, asked: Asked, answer: Answer) -> None:
        """Count the answer; a 5xx that is no honest one, and a hang, are failures."""
        self.statuses[answer.status] += 1
        self.slowest = max(self.slowest, (answer.seconds, _shown(asked)))
        if answer.status is None or answer.seconds > self.hang_s:
            self.failures.append(f"hang: {_shown(asked)}")
        elif answer.status >= 500 and not self._is_honest(asked, answer):
            self.failures.append(f"{answer.status}: {_shown(asked)}\n  {answer.body[:_SHOWN]!r}")
        elif leak := _leaks(answer):
            self.failures.append(f"{leak}: {_shown(asked)}")

    def report(self) -> str:
        """For people, a few lines."""
        counts = ", ".join(f"{status}: {count}" for status, count in self._sorted())
        return (
            f"{self.total} requests; {counts}\n"
            f"{self.honest} honest ones among the 5xx; slowest {self.slowest[0]:.2f} s:"
            f" {self.slowest[1][:200]}\n"
            f"{len(self.failures)} failures"
        )

    def _is_honest(self, asked: Asked, answer: Answer) -> bool:
        if asked.rule == ALONE:
            return True
        words = answer.asks_to_retry and any(word in answer.body for word in _HONEST)
        # Gunicorn's own words, and the status that RFC 9112 (6.1) asks for.
        is_honest = words or (answer.status == 501 and b"transfer coding" in answer.body)
        self.honest += is_honest
        return is_honest

    def _sorted(self) -> list[tuple[int | None, int]]:
        return sorted(self.statuses.items(), key=lambda pair: pair[0] or 0)


def _leaks(answer: Answer) -> str:
    if b"Traceback (most recent call last)" in answer.body:
        return "a traceback is shown"
    names = [name.lower() for name, _ in answer.headers]
    return "a header was injected" if {"x-injected", "set-cookie-a"} & set(names) else ""


def _shown(asked: Asked) -> str:
    return (
        f"{asked.method!r} {asked.target[:_SHOWN]!r} {asked.headers!r:.800} {asked.body[:_SHOWN]!r}"
    )
