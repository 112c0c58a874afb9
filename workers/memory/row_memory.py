"""What one forward pass takes beside the weights; plain Python, no torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RowMemory:
    """Peak activation memory of one call: `a_bytes + b_bytes * rows`, inputs and outputs in it."""

    a_bytes: int
    b_bytes: int

    def peak_bytes(self, rows: int) -> int:
        """Bytes at the highest point of a call with that many rows."""
        return self.a_bytes + self.b_bytes * rows

    @classmethod
    def through(cls, first: tuple[int, int], second: tuple[int, int]) -> "RowMemory":
        """The line through two measured points (rows, peak bytes); b is rounded up."""
        (rows, peak), (more_rows, higher_peak) = sorted((first, second))
        b_bytes = -(-(higher_peak - peak) // (more_rows - rows))
        return cls(max(0, peak - b_bytes * rows), b_bytes)
