"""A short chaos run on each database: what CI can afford of `make chaos`."""

from pathlib import Path

import pytest

from myriad.fault import POINTS
from tests.chaos.check import broken
from tests.chaos.evidence import Evidence, load_evidence
from tests.chaos.run import Run
from tests.chaos.world import S3_CREDENTIALS, World, make_world

pytestmark = pytest.mark.timeout(300)
SEED = 4
_JOBS = 50
ANY_MOMENT = [
    "kill web",
    "broker forgets",
    "kill worker",
    "hints lost",
    "freeze worker",
    "disk full",
    "kill sender",
    "broker keeps",
    "hints doubled",
    "kill janitor",
    "clock forward",
    "flush",
]
AT_POINTS = [*(f"point {point}" for point in POINTS), "s3 errors", "s3 truncates"]


def test_killed_at_every_named_point_on_postgres_and_s3(
    tmp_path: Path, postgres_url: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in S3_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with make_world(
        tmp_path, seed=SEED, database_url=postgres_url, s3_upstream=s3_endpoint, most_failures=2
    ) as world:
        evidence = _live_through(world, AT_POINTS)
    assert {line["of"] for line in evidence.lines("kill")} == set(POINTS)


def test_broken_at_any_moment_on_sqlite_and_a_folder(tmp_path: Path) -> None:
    with make_world(tmp_path, seed=SEED, most_failures=2) as world:
        _live_through(world, ANY_MOMENT)


def _live_through(world: World, faults: list[str]) -> Evidence:
    with Run(world, SEED) as run:
        run.go(_JOBS, faults, over_s=6, poisons=1)
        run.settle(patience_s=60)
        run.keep_evidence()
    evidence = load_evidence(world.folder)
    assert len(evidence.jobs) == _JOBS
    assert broken(evidence) == {}
    return evidence
