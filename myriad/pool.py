"""Worker pools: who serves which stages of which models, on what, read from `pools.toml`."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field, ValidationError

from myriad.errors import ConfigError
from myriad.job import Stage

PROFILES = Path(__file__).with_name("profiles")
Precision = Literal["fp32", "fp16", "bf16"]


class Pool(BaseModel):
    """Workers of one configuration.

    `concurrency` is how many jobs one worker holds at a time (its task slots);
    `memory` bounds the models it keeps loaded ("8GiB"); `models` may be ["*"].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=32)
    stages: tuple[Stage, ...] = Field(min_length=1)
    device: str = "cpu"
    precision: Precision = "fp32"
    models: tuple[str, ...] = ("*",)
    memory: ByteSize = ByteSize(4 * 2**30)
    concurrency: int = Field(4, ge=1, le=256)
    workers: int = Field(1, ge=1, le=64, description="Worker processes `myriad up` starts.")
    max_rows: int = Field(1, ge=1, le=1024, description="Most rows of one forward pass; 1: alone.")
    threads: int = Field(1, ge=1, description="torch threads of each worker.")
    zone: str = "local"

    def serves(self, stage: Stage, model: str) -> bool:
        return stage in self.stages and ("*" in self.models or model in self.models)

    def queue(self, stage: Stage) -> str:
        """Name of the Celery queue that carries this pool's hints for `stage`."""
        return f"{stage.value}.{self.name}"


def load_pools(path: Path | None = None) -> tuple[Pool, ...]:
    """Read `pools.toml`. Raises ConfigError that names the file and the entry."""
    path = path or PROFILES / "laptop.toml"
    try:
        entries = tomllib.loads(path.read_text("utf-8")).get("pool", [])
        pools = tuple(Pool.model_validate(values) for values in entries)
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error
    _check(pools, path)
    return pools


def _check(pools: tuple[Pool, ...], path: Path) -> None:
    if len({pool.name for pool in pools}) < len(pools):
        raise ConfigError(f"{path}: two pools have one name")
    served = {stage for pool in pools for stage in pool.stages}
    if missing := [stage.value for stage in Stage if stage not in served]:
        raise ConfigError(f"{path}: no pool serves {', '.join(missing)}")


def find_pool(pools: tuple[Pool, ...], name: str) -> Pool:
    """The pool of that name, or ConfigError listing those there are."""
    for pool in pools:
        if pool.name == name:
            return pool
    raise ConfigError(f"no pool {name!r}; there are: {', '.join(pool.name for pool in pools)}")
