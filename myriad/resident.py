"""Where a worker holds a model: the nearer, the sooner a job can begin."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class Tier(StrEnum):
    """From the device's own memory to a folder on local disk."""

    DEVICE = "device"
    HOST = "host"
    DISK = "disk"


@dataclass(frozen=True)
class Resident:
    """One model in one worker; `size_bytes` of its weights there, 0 if unknown."""

    model: str
    tier: Tier
    size_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(values["model"], Tier(values["tier"]), values["size_bytes"])
