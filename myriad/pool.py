"""Worker pools: who serves which stages of which models, on what, read from `pools.toml`."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field, ValidationError

from myriad.errors import ConfigError
from myriad.job import Stage

PROFILES = Path(__file__).with_name("profiles")
Precision = Literal["fp32", "fp16", "bf16", "fp8", "int8"]
Offload = Literal["none", "host", "disk"]
Linear = Literal["torch", "onednn", "auto"]


class Pool(BaseModel):
    """Workers of one configuration.

    `concurrency` is how many jobs one worker holds at a time (its task slots);
    `memory` bounds the models it keeps on the device ("8GiB"), `host_memory` those
    that wait beside it in host memory; `models` may be ["*"], `preload` names those
    to be loaded at start. `device` may be "auto"; an accelerator without an index
    ("cuda") gives each worker of the pool the next one of the machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        max_length=32,
        description="What `myriad worker` is told; small letters, digits, `-`.",
    )
    stages: tuple[Stage, ...] = Field(
        min_length=1,
        description="What it does of a job. Together the pools must serve every stage.",
    )
    device: str = Field(
        "cpu",
        pattern=r"^(auto|cpu|(cuda|mps|xpu|npu|hpu|mtia)(:\d+)?)$",
        description="`cpu`, `cuda`, `cuda:1`, `mps`, `xpu` …, or `auto`: the accelerator, else the"
        " CPU. Without a number each worker takes the machine's next one"
        " (`myriad worker NAME --index 1`).",
    )
    precision: Precision = Field(
        "fp32",
        description="What it computes in; of `fp8` and `int8` the weights alone, the rest in bf16.",
    )
    models: tuple[str, ...] = Field(("*",), description='Names of the catalogue; `["*"]`: all.')
    preload: tuple[str, ...] = Field((), description="Those of them that are loaded at start.")
    memory: ByteSize = Field(
        ByteSize(4 * 2**30),
        description="Most that weights may take on the device, without what forward passes need.",
    )
    host_memory: ByteSize = Field(
        ByteSize(0),
        description="Most that models may take that wait for their next job beside it.",
    )
    concurrency: int = Field(4, ge=1, le=256, description="Jobs that a worker holds at a time.")
    workers: int = Field(1, ge=1, le=64, description="Worker processes `myriad up` starts.")
    max_rows: int = Field(64, ge=1, le=1024, description="Most rows of one forward pass.")
    threads: int = Field(1, ge=1, description="torch threads of each worker.")
    tf32: bool = Field(False, description="Matrix products of fp32 in tensor cores.")
    channels_last: bool = Field(False, description="Convolutions in the faster layout.")
    linear: Linear = Field("torch", description="Whose kernels linear layers use on a CPU.")
    attention: str = Field("", description="A diffusers attention backend; empty: native.")
    compile: bool = Field(False, description="torch.compile of the denoiser's repeated blocks.")
    offload: Offload = Field("none", description="Where the denoiser's layers wait.")
    vae_slicing: bool = Field(False, description="Decode one image of a batch at a time.")
    vae_tiling: bool = Field(False, description="Decode large images tile by tile.")
    tiny_vae: bool = Field(False, description="Decode with the model's tiny autoencoder.")
    zone: str = Field("local", description="A word of yours on where it is; nothing goes by it.")

    def serves(self, stage: Stage, model: str) -> bool:
        return stage in self.stages and ("*" in self.models or model in self.models)

    def device_of(self, index: int) -> str:
        """The device of the pool's worker number `index` on one machine: each its own GPU."""
        is_shared = ":" in self.device or self.device in ("auto", "cpu", "mps")
        return self.device if is_shared else f"{self.device}:{index}"

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
