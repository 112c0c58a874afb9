"""What the farm adds to the bare pipeline, and a cache hit to a bare route; one run, ratios.

python -m bench.first_light [--rounds 12] [--jobs 32]
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from bench.peer import BarePipeline, bare_flask, running_farm
from myriad.catalog import load_catalog
from myriad.client import Client
from myriad.pool import load_pools
from myriad.settings import load_settings

IN_FLIGHT = 8
HITS = 200
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Comparison:
    """Ours beside the bare thing; `ratio` is ours / bare."""

    what: str
    unit: str
    ours: float
    bare: float

    @property
    def ratio(self) -> float:
        return self.ours / self.bare


def prompt() -> str:
    """Never the same twice, so that nothing is answered from a cache."""
    return f"a red circle on a blue background, take {next(_numbers)}"


def one_job(client: Client, bare: BarePipeline, rounds: int) -> Comparison:
    """Wall time of one job over HTTP, picture downloaded, in turns with the bare call."""
    ours, theirs = [], []
    for seed in range(rounds):
        ours.append(timed(lambda seed=seed: _draw(client, seed)))  # type: ignore[misc]
        theirs.append(bare.draw(prompt(), seed))
    return Comparison("one job", "s", statistics.median(ours), statistics.median(theirs))


def throughput(client: Client, bare: BarePipeline, jobs: int) -> Comparison:
    """Jobs a second with eight in flight, beside the bare pipeline in a loop."""
    with ThreadPoolExecutor(IN_FLIGHT) as threads:
        ours_s = timed(lambda: list(threads.map(lambda seed: _draw(client, seed), range(jobs))))
    bare_s = sum(bare.draw(prompt(), seed) for seed in range(jobs))
    return Comparison(f"jobs a second, {IN_FLIGHT} in flight", "1/s", jobs / ours_s, jobs / bare_s)


def cache_hit(url: str, client: Client, flask_url: str) -> Comparison:
    """p50 of a POST that the cache answers, in turns with a bare POST of the same size."""
    body = {"prompt": "a red circle", "seed": 1}
    client.wait(client.submit(**body)["id"])
    ours, theirs = [], []
    with httpx.Client(timeout=10) as http:
        for _ in range(HITS):
            ours.append(timed(lambda: _hit(http, f"{url}/api/v1/jobs", body)))
            theirs.append(timed(lambda: http.post(flask_url, json=body).raise_for_status()))
    return Comparison(
        "p50 of a cache hit", "ms", statistics.median(ours) * 1e3, statistics.median(theirs) * 1e3
    )


def timed(call: Callable[[], object]) -> float:
    """Seconds that `call` takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _draw(client: Client, seed: int) -> None:
    job = client.wait(client.submit(prompt(), seed=seed)["id"])
    assert job["status"] == "succeeded", job
    client.download(job["output"][0]["url"])


def _hit(http: httpx.Client, url: str, body: dict[str, object]) -> None:
    answer = http.post(url, json=body)
    assert answer.json()["cache"] == "hit", answer.text


def measure(rounds: int, jobs: int) -> list[Comparison]:
    """All comparisons, side by side on this machine."""
    settings = load_settings()
    model, pool = load_catalog(settings.catalog).default, load_pools(settings.pools)[0]
    defaults = model.defaults
    bare = BarePipeline(
        model.source, defaults.num_inference_steps, defaults.guidance_scale, pool.threads
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        running_farm(Path(folder) / "home") as url,
        bare_flask() as flask_url,
        Client(url) as client,
    ):
        _draw(client, 0)  # the first job loads the model, and so did the bare pipeline
        bare.draw(prompt(), 0)
        found = [
            one_job(client, bare, rounds),
            throughput(client, bare, jobs),
            cache_hit(url, client, flask_url),
        ]
    bare.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=32)
    parser.add_argument("--out", type=Path, help="also write the figures here, as JSON")
    options = parser.parse_args()
    found = measure(options.rounds, options.jobs)
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'':32}{'Myriad':>10}{'bare':>10}{'ratio':>8}")
    for row in found:
        print(
            f"{row.what + ' (' + row.unit + ')':32}{row.ours:10.3f}{row.bare:10.3f}{row.ratio:8.2f}"
        )
    if options.out:
        rows = [asdict(row) | {"ratio": row.ratio} for row in found]
        options.out.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
