"""The engine beside the stock pipeline and static batches: one run, same arrivals, ratios.

python -m bench.engine [--threads 1 2] [--count 48] [--out FILE]
"""

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.engine_raw import raw_rows_per_second
from bench.engine_sides import Done, EngineSide, Side, StockSide, Work
from bench.hardware import describe
from bench.load import percentile, poisson_arrivals
from workers.allocator import keep_freed_memory

STEPS = (10, 20, 20, 20, 30)
BATCH = 8


@dataclass(frozen=True)
class Figure:
    """One side under one load."""

    what: str
    side: str
    threads: int
    per_second: float
    p50_s: float
    p95_s: float
    forwards_per_image: float


def measure(
    what: str, threads: int, side: Side, work: Sequence[Work], at: Sequence[float]
) -> Figure:
    """Latency counts from the intended arrival, throughput from the first of them."""
    done: Done = side.draw(work, at)
    latencies = [ended_s - at[number] for number, ended_s in done.ended_s.items()]
    span_s = max(done.ended_s.values()) - at[0]
    return Figure(
        what=what,
        side=side.name,
        threads=threads,
        per_second=len(work) / span_s,
        p50_s=percentile(latencies, 0.5),
        p95_s=percentile(latencies, 0.95),
        forwards_per_image=done.forwards / len(work),
    )


def works(count: int, steps: Sequence[int] = (20,), size: int = 128) -> list[Work]:
    """Prompts and seeds that never repeat."""
    return [
        Work(f"a red circle on a blue background, take {n}", n, steps[n % len(steps)], size)
        for n in range(count)
    ]


class Bench:
    """All comparisons at one number of torch threads."""

    def __init__(self, threads: int, count: int) -> None:
        self._threads, self._count = threads, count
        self.engine = EngineSide(threads)
        self.stock, self.static = StockSide(threads), StockSide(threads, BATCH)
        self.sides: list[Side] = [self.engine, self.stock, self.static]
        for side in self.sides:
            side.draw(works(2 * BATCH), [0.0] * 2 * BATCH)  # warm, and the curve learnt
            for size in (64, 256):  # else the first side would make the kernels of all
                side.draw(works(1, size=size), [0.0])

    def close(self) -> None:
        self.engine.close()
        self.stock.close()
        self.static.close()

    def run(self, what: str, work: Sequence[Work], at: Sequence[float]) -> list[Figure]:
        """Every side under one load, one after another."""
        return [measure(what, self._threads, side, work, at) for side in self.sides]

    def all_at_once(self, in_flight: int, size: int = 128) -> list[Figure]:
        """So many requests at the same moment."""
        return self.run(
            f"{in_flight} at once, {size} px", works(in_flight, size=size), [0.0] * in_flight
        )

    def open_loop(self) -> list[Figure]:
        """Poisson arrivals a little above what the stock pipeline can take, mixed steps."""
        alone_s = statistics.median(
            measure("", self._threads, self.stock, works(1), [0.0]).p50_s for _ in range(3)
        )
        at = poisson_arrivals(1.3 / alone_s, self._count, seed=7)
        return self.run("open loop, 1.3 x the stock's rate", works(self._count, STEPS), at)

    def short_behind_long(self) -> dict[str, float]:
        """Seconds until a 4-step job is done that comes just behind a 100-step one."""
        work = [Work("a blue square", 1, 100), Work("a red circle", 2, 4)]
        at = [0.0, 0.3]
        return {
            side.name: side.draw(work, at).ended_s[1] - at[1] for side in (self.engine, self.stock)
        }

    def share_of_raw(self, in_flight: int) -> float:
        """The denoise stage's rows a second beside a bare forward pass of as many rows."""
        raw = self.stock.run(lambda: raw_rows_per_second(self.stock.pipe.unet, 2 * in_flight))
        return self.engine.denoise_rows_per_second(works(in_flight)) / raw


def ratio(figures: Sequence[Figure], key: Callable[[Figure], float], other: str) -> float:
    by_side = {figure.side: key(figure) for figure in figures}
    return by_side["engine"] / by_side[other]


def repeated(rounds: int, run: Callable[[], list[Figure]]) -> list[list[Figure]]:
    return [run() for _ in range(rounds)]


def report(threads: int, count: int, rounds: int) -> dict[str, Any]:
    """Everything at one number of torch threads, printed as it comes."""
    bench = Bench(threads, count)
    found: dict[str, Any] = {"threads": threads, "loads": []}
    try:
        for in_flight, size in (
            (1, 128),
            (4, 128),
            (8, 128),
            (16, 128),
            (1, 64),
            (8, 64),
            (1, 256),
            (8, 256),
        ):
            runs = repeated(rounds, lambda n=in_flight, s=size: bench.all_at_once(n, s))  # type: ignore[misc]
            _show(runs)
            found["loads"] += [asdict(figure) for run in runs for figure in run]
        load = bench.open_loop()
        _show([load])
        found["loads"] += [asdict(figure) for figure in load]
        found["short_behind_long_s"] = bench.short_behind_long()
        found["share_of_raw"] = {n: bench.share_of_raw(n) for n in (1, 4, 8)}
        print(f"4 steps behind 100: {found['short_behind_long_s']}")
        print(f"share of a raw batched forward: {found['share_of_raw']}")
    finally:
        bench.close()
    return found


def _show(runs: list[list[Figure]]) -> None:
    """Medians over the rounds, and the engine's ratio to each other side."""
    for column in zip(*runs, strict=True):
        rate = statistics.median(figure.per_second for figure in column)
        p50 = statistics.median(figure.p50_s for figure in column)
        p95 = statistics.median(figure.p95_s for figure in column)
        forwards = statistics.median(figure.forwards_per_image for figure in column)
        print(
            f"{column[0].what:36} {column[0].side:22} {column[0].threads} thr"
            f" {rate:6.2f}/s  p50 {p50:6.2f} s  p95 {p95:6.2f} s  {forwards:5.1f} forwards/image"
        )
    for other in (figure.side for figure in runs[0] if figure.side != "engine"):
        ratios = [ratio(run, lambda figure: figure.per_second, other) for run in runs]
        print(f"{'':36} engine / {other}: {statistics.median(ratios):.2f} x", flush=True)


def main() -> None:
    """Read the command line, measure, print, keep."""
    parser = argparse.ArgumentParser(description="The engine beside the stock pipeline.")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--count", type=int, default=48, help="requests of the open loop")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="keep the figures as JSON")
    arguments = parser.parse_args()
    keep_freed_memory()  # as every worker does; here all sides gain by it
    print(describe())
    found = [report(threads, arguments.count, arguments.rounds) for threads in arguments.threads]
    if arguments.out:
        text = json.dumps({"hardware": describe(), "runs": found}, indent=2)
        arguments.out.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
