"""What the doctor finds, as plain data: printed by `text`, or written as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class PrecisionReport:
    """One precision on one device. `gflops`: of a plain matrix product, as measured."""

    name: str
    works: bool
    gflops: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class DeviceReport:
    """One torch device of this machine."""

    name: str
    title: str
    total_bytes: int
    free_bytes: int
    precisions: tuple[PrecisionReport, ...]
    attention: tuple[str, ...]

    def works(self, precision: str) -> bool:
        return any(each.works for each in self.precisions if each.name == precision)

    def gflops(self, precision: str) -> float:
        """Of that precision, or of the slowest that works."""
        rates = {each.name: each.gflops for each in self.precisions if each.gflops}
        return rates.get(precision) or min(rates.values(), default=1.0)


@dataclass(frozen=True)
class MachineReport:
    """This machine and what is installed: packages by name, "" if absent."""

    system: str
    processor: str
    cpu_capability: str
    cores: int
    python: str
    packages: Mapping[str, str]
    compilers: Mapping[str, str]


@dataclass(frozen=True)
class Fit:
    """One stage of a model in one pool at one size.

    `max_rows` is how many rows of one call have room beside the weights of the
    pool's stages: 0 if none, None if that is not known, and `note` says why.
    """

    pool: str
    stage: str
    width: int
    height: int
    num_frames: int
    max_rows: int | None
    row_bytes: int | None = None
    note: str = ""


@dataclass(frozen=True)
class ModelReport:
    """One model of the catalogue; `note` says why it was not looked into.

    `weights_bytes`: stage → precision → bytes.
    """

    name: str
    family: str
    is_here: bool
    weights_bytes: Mapping[str, Mapping[str, int]]
    fits: tuple[Fit, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Cost:
    """Seconds of one call in one pool; an estimate is scaled by operations, not measured."""

    stage: str
    pool: str
    device: str
    precision: str
    threads: int
    rows: int
    width: int
    height: int
    seconds: float
    is_estimate: bool = False


@dataclass(frozen=True)
class CostReport:
    """What the stages of one model cost here. `notes`: what could not be measured, and why."""

    model: str
    width: int
    height: int
    costs: tuple[Cost, ...]
    notes: tuple[str, ...] = ()

    def of(self, stage: str, **wanted: object) -> list[Cost]:
        """Costs of a stage whose fields are as wanted."""
        return [
            cost
            for cost in self.costs
            if cost.stage == stage
            and all(getattr(cost, name) == value for name, value in wanted.items())
        ]


@dataclass(frozen=True)
class Report:
    """All of it. `pools_toml` is ready to be saved."""

    machine: MachineReport
    devices: tuple[DeviceReport, ...]
    models: tuple[ModelReport, ...]
    costs: CostReport | None
    warnings: tuple[str, ...]
    pools_toml: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)
