"""When a process that died is started again: a rule without clocks or processes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RestartPolicy:
    """Wait longer after each crash; a process that ran `settled_s` starts with a clean slate.

    One that crashes `most_crashes` times in a row (a quarter of an hour, as things
    are) is given up.
    """

    first_delay_s: float = 0.5
    longest_delay_s: float = 30.0
    settled_s: float = 30.0
    most_crashes: int = 30

    def crashes(self, before: int, ran_s: float) -> int:
        """Crashes in a row after one more, given how long the process had run."""
        return 1 if ran_s >= self.settled_s else before + 1

    def is_hopeless(self, crashes: int) -> bool:
        """Whether no further start is worth while after that many crashes in a row."""
        return crashes >= self.most_crashes

    def delay_s(self, crashes: int) -> float:
        """Seconds to wait before the start that follows the `crashes`-th crash in a row."""
        return min(self.longest_delay_s, self.first_delay_s * 2.0 ** min(crashes - 1, 30))
