"""The pools that ship: each profile loads, and together its pools serve every stage."""

from pathlib import Path

import pytest

from myriad.job import Stage
from myriad.pool import PROFILES, load_pools
from tests.processes import ROOT

FILES = [*sorted(PROFILES.glob("*.toml")), *sorted((ROOT / "deploy").glob("pools*.toml"))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_profile_serves_every_stage_of_any_model(file: Path) -> None:
    pools = load_pools(file)
    for stage in Stage:
        assert any(pool.serves(stage, "whatever") for pool in pools)


def test_the_farm_parts_a_model_over_devices_and_precisions() -> None:
    pools = {pool.stages: pool for pool in load_pools(PROFILES / "farm.toml")}
    assert [stages for stages in pools if len(stages) > 1] == []
    assert {pool.precision for pool in pools.values()} == {"fp32", "bf16"}
    assert pools[Stage.DENOISE,].device_of(1) == "cuda:1"
    assert pools[Stage.DECODE,].device_of(1) == "cpu"
