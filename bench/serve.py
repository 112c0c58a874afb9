"""A whole farm over HTTP beside LitServe over HTTP: same model, cores and arrivals.

python -m bench.serve [--rates 2 4 6] [--overload 10] [--seconds 20] [--out FILE]

One server is up at a time; each gets the same requests at the same (Poisson) times.
Bounded by --limit-s; Ctrl-C stops everything that was started.
"""

import argparse
import asyncio
import json
import os
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from bench.contender import Contender, farm, litserve
from bench.hardware import describe
from bench.load import Outcome, Summary, closed_loop, summary
from bench.serve_plan import Plan, ask, patience_s
from bench.serve_report import print_report, same_picture
from myriad.catalog import load_catalog

HERE = Path(__file__).resolve().parent
FARM_SETTINGS = {"MYRIAD_WEB_THREADS": "64"}
"""As many callers may wait in the farm's front end as LitServe's lets wait."""


@dataclass(frozen=True)
class Measured:
    """One server's figures by leg, and its first picture (PNG)."""

    legs: dict[str, Summary]
    picture: bytes


async def measure(server: Contender, plan: Plan, end_s: float) -> Measured:
    """All legs on a running server; those that find no time left are left out."""
    patience = httpx.Timeout(None, connect=30)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    async with httpx.AsyncClient(timeout=patience, limits=limits, trust_env=False) as http:

        async def send(number: int, deadline_s: float | None = None) -> Outcome:
            try:
                return (await server.draw(http, ask(number, deadline_s))).outcome
            except (httpx.HTTPError, KeyError):
                return Outcome.FAILED

        first = await server.draw(http, ask(0))
        if first.outcome is not Outcome.ANSWERED:
            raise RuntimeError(f"{server.name} drew nothing: {first.why}")
        await closed_loop(8, 8, send, patience_s(end_s))  # together once, uncounted
        legs = {}
        for leg in plan.legs():
            if end_s - time.monotonic() < plan.seconds:
                break
            timely = partial(send, deadline_s=leg.deadline_s)
            legs[leg.name] = summary(await leg.play(timely, end_s))
            answered = legs[leg.name].answered
            print(f"  {server.name:10}{leg.name:>12}: {answered} answered", flush=True)
        return Measured(legs, first.picture)


def run(server: AbstractContextManager[Contender], plan: Plan) -> Measured:
    """Start it, measure it, stop it."""
    end_s = time.monotonic() + plan.limit_s
    with server as running:
        return asyncio.run(measure(running, plan, end_s))


def compare(options: argparse.Namespace, plan: Plan) -> dict[str, Any]:
    """Both servers, one after the other, and what they were."""
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        model = load_catalog().default
        peer = litserve(model.source, options.threads, options.batch, home / "litserve.log")
        theirs = run(peer, plan)
        settings = FARM_SETTINGS | {"MYRIAD_POOLS": str(options.pools.resolve())}
        ours = run(farm(home / "home", settings), plan)
    return {
        "hardware": describe(),
        "load_before": load_before,
        "plan": asdict(plan),
        "peer": {"name": "LitServe", "threads": options.threads, "batch": options.batch},
        "pools": options.pools.read_text("utf-8"),
        "largest_pixel_difference": same_picture(ours.picture, theirs.picture),
        "myriad": {name: leg.figures() for name, leg in ours.legs.items()},
        "litserve": {name: leg.figures() for name, leg in theirs.legs.items()},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, keep the figures."""
    options = _options(arguments)
    # A plain kill takes the way of Ctrl-C, which ends what we started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = Plan(
        rates=tuple(options.rates),
        overload=options.overload,
        seconds=options.seconds,
        saturation_count=options.saturation_count,
        in_flight=options.in_flight,
        limit_s=options.limit_s / 2,
        deadline_s=options.deadline_s,
    )
    report = compare(options, plan)
    print_report(report)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=float, nargs="+", default=[2, 4, 6], help="images/s")
    parser.add_argument("--overload", type=float, default=10, help="images/s, beyond saturation")
    parser.add_argument("--seconds", type=float, default=20, help="of arrivals in each leg")
    parser.add_argument("--saturation-count", type=int, default=64)
    parser.add_argument("--in-flight", type=int, default=16, help="two full batches of the peer")
    parser.add_argument("--threads", type=int, default=2, help="torch threads of the peer")
    parser.add_argument("--batch", type=int, default=8, help="largest batch of the peer")
    parser.add_argument("--pools", type=Path, default=HERE / "serve-pools.toml")
    parser.add_argument("--deadline-s", type=float, default=2, help="told the farm in the overload")
    parser.add_argument("--limit-s", type=float, default=345, help="for both servers together")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "serve.json")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
