"""What a worker measured of itself since it began, as it reports it with each heartbeat."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    # Releases run side by side: what another one adds is passed over, what it lacks is nothing.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Batching(_Frozen):
    """Forward passes of one shared module: `passes` by their number of rows, and whom they served.

    `requests` counts a request once for each pass it took part in.
    """

    passes: Mapping[int, int] = Field(default_factory=dict)
    requests: int = 0


class Memory(_Frozen):
    """Bytes: the process's own, and those of its device where that has an allocator to ask."""

    process_bytes: int = 0
    allocated_bytes: int | None = None
    reserved_bytes: int | None = None
    total_bytes: int | None = None


class Measured(_Frozen):
    """`batching` by the module's class, `rungs` by what was done when memory ran out."""

    batching: Mapping[str, Batching] = Field(default_factory=dict)
    rungs: Mapping[str, int] = Field(default_factory=dict)
    memory: Memory = Memory()
    checkpoints: int = 0
