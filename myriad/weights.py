"""What every entry of the catalogue has: a name, and where its exact weights are."""

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from myriad.errors import ConfigError
from myriad.fingerprint import fingerprint

ROOT = Path(__file__).resolve().parent.parent


class Entry(BaseModel):
    """A table of the catalogue, or a part of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Weights(Entry):
    """Something to load.

    `source` is a folder or file (absolute, or relative to the catalogue's own
    folder or to the project) or a hub id; a hub id needs a `revision`, so that
    what was checked is what runs.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)
    source: str
    revision: str = ""
    title: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """Names the exact weights: the pinned revision, or a hash of the local files."""
        return self.revision or fingerprint(Path(self.source))

    def located(self, folder: Path) -> Self:
        """The same with an absolute `source`. Raises ConfigError for a hub id without revision."""
        return self.model_copy(
            update={"source": locate(self.name, self.source, self.revision, folder)}
        )


def locate(name: str, source: str, revision: str, folder: Path) -> str:
    """`source` as an absolute path if it is one, or the pinned hub id that it is."""
    for base in (folder, ROOT):
        if (local := base / source).exists():
            return str(local)
    if not revision:
        raise ConfigError(
            f"{name}: source {source!r} is neither folder nor file; a hub id needs a revision"
        )
    return source
