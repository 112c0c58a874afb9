"""When a process that died is started again: a rule without clocks or processes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RestartPolicy:
    """Wait longer after each crash; a process that ran `settled_s` starts with a clean slate."""

    first_delay_s: float = 0.5
    longest_delay_s: float = 30.0
    settled_s: float = 30.0

    def crashes(self, before: int, ran_s: float) -> int:
        """Crashes in a row after one more, given how long the process had run."""
        return 1 if ran_s >= self.settled_s else before + 1

    def delay_s(self, crashes: int) -> float:
        """Seconds to wait before the start that follows the `crashes`-th crash in a row."""
        return min(self.longest_delay_s, self.first_delay_s * 2.0 ** min(crashes - 1, 30))
