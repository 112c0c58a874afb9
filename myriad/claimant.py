"""Who asks for work: one worker process."""

from dataclasses import dataclass

from myriad.job import Stage


@dataclass(frozen=True)
class Claimant:
    """A worker process, unique by name for ever, of a pool, on a device.

    `stages` and `models` ("*": any) are what it may take beside the job that a
    hint names; without stages it takes the named one or nothing.
    """

    name: str
    pool: str
    device: str
    stages: tuple[Stage, ...] = ()
    models: tuple[str, ...] = ("*",)
