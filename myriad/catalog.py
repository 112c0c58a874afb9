"""The catalogue: which models this farm offers, read from `catalog.toml`."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from myriad.errors import ConfigError, InvalidRequest
from myriad.fingerprint import folder_fingerprint
from myriad.scheduler import canonical_scheduler

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = Path(__file__).with_name("catalog.toml")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Defaults(_Entry):
    """What a request gets when it does not say."""

    width: int = 512
    height: int = 512
    num_inference_steps: int = 20
    guidance_scale: float = 7.5
    scheduler: str = "DPMSolverMultistepScheduler"

    @field_validator("scheduler")
    @classmethod
    def _known_scheduler(cls, name: str) -> str:
        known = canonical_scheduler(name)
        if known is None:
            raise ValueError(f"unknown scheduler {name!r}")
        return known


class Limits(_Entry):
    """What a request may ask for; sizes in pixels."""

    min_size: int = 64
    max_size: int = 2048
    size_multiple: int = 8
    max_pixels: int = 2048 * 2048
    max_steps: int = 150
    max_images: int = 8


class Model(_Entry):
    """One entry of the catalogue.

    `source` is a folder (absolute, or relative to the catalogue's own folder or
    to the project) or a hub id; a hub id needs a `revision`, so that what was
    checked is what runs. `languages` are those its text encoder understands.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)
    family: str
    source: str
    revision: str = ""
    title: str = ""
    description: str = ""
    licence: str = ""
    languages: tuple[str, ...] = ("en",)
    max_prompt_tokens: int = 77
    defaults: Defaults = Defaults()
    limits: Limits = Limits()

    @cached_property
    def fingerprint(self) -> str:
        """Names the exact weights: the pinned revision, or a hash of the local folder."""
        return self.revision or folder_fingerprint(Path(self.source))


class Catalog(Mapping[str, Model]):
    """Models by name, in the file's order; the first is the default."""

    def __init__(self, models: tuple[Model, ...]) -> None:
        self._models = {model.name: model for model in models}

    def __getitem__(self, name: str) -> Model:
        return self._models[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    @property
    def default(self) -> Model:
        return next(iter(self._models.values()))

    def find(self, name: str | None) -> Model:
        """The model of that name (None: the default), or InvalidRequest on `model`."""
        if name is None:
            return self.default
        if name not in self._models:
            raise InvalidRequest(f"must be one of {', '.join(self._models)}", field="model")
        return self._models[name]


def load_catalog(path: Path | None = None) -> Catalog:
    """Read `catalog.toml`. Raises ConfigError that names the file and the entry."""
    path = path or BUNDLED
    try:
        entries = tomllib.loads(path.read_text("utf-8")).get("model", [])
        models = tuple(_entry(values, path.parent) for values in entries)
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if not models:
        raise ConfigError(f"{path}: lists no [[model]]")
    if len({model.name for model in models}) < len(models):
        raise ConfigError(f"{path}: two models have one name")
    return Catalog(models)


def _entry(values: dict[str, Any], folder: Path) -> Model:
    model = Model.model_validate(values)
    for base in (folder, ROOT):
        if (local := base / model.source).is_dir():
            return model.model_copy(update={"source": str(local)})
    if not model.revision:
        raise ConfigError(
            f"model {model.name}: source {model.source!r} is no folder; a hub id needs a revision"
        )
    return model
