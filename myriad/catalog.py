"""The catalogue: which models this farm offers, and what may be added to them."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from myriad.adapter import Adapter, ControlNet, Lora
from myriad.errors import ConfigError, InvalidRequest
from myriad.model import Defaults, Limits, Model
from myriad.weights import ROOT, Weights, locate

__all__ = ["ROOT", "Catalog", "Defaults", "Limits", "Model", "load_catalog"]

BUNDLED = Path(__file__).with_name("catalog.toml")

Named = TypeVar("Named", bound=Weights)
Added = TypeVar("Added", bound=Adapter)


class Catalog(Mapping[str, Model]):
    """Models by name, in the file's order; the first is the default.

    Refiners are models too, but kept apart: none is offered by itself.
    """

    def __init__(
        self,
        models: Iterable[Model],
        loras: Iterable[Lora] = (),
        controlnets: Iterable[ControlNet] = (),
    ) -> None:
        entries = tuple(models)
        self._models = _by_name(model for model in entries if not model.refiner_of)
        self.refiners: Mapping[str, Model] = _by_name(
            model for model in entries if model.refiner_of
        )
        self.loras: Mapping[str, Lora] = _by_name(loras)
        self.controlnets: Mapping[str, ControlNet] = _by_name(controlnets)

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

    def loras_of(self, model: Model) -> Mapping[str, Lora]:
        """The LoRAs that a request for `model` may name."""
        return _for(model, self.loras)

    def controlnets_of(self, model: Model) -> Mapping[str, ControlNet]:
        """The ControlNets that a request for `model` may name."""
        return _for(model, self.controlnets)

    def refiners_of(self, model: Model) -> Mapping[str, Model]:
        """The refiners that a request for `model` may name."""
        return {
            name: refiner
            for name, refiner in self.refiners.items()
            if model.name in refiner.refiner_of
        }


def load_catalog(path: Path | None = None) -> Catalog:
    """Read `catalog.toml`. Raises ConfigError that names the file and the entry."""
    path = path or BUNDLED
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
        catalog = Catalog(
            [_located(model, path.parent) for model in _read(tables, "model", Model, path)],
            _read(tables, "lora", Lora, path),
            _read(tables, "controlnet", ControlNet, path),
        )
    except (OSError, tomllib.TOMLDecodeError, ValidationError, ConfigError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if tables:
        raise ConfigError(f"{path}: there is no table {', '.join(tables)}")
    if not catalog:
        raise ConfigError(f"{path}: lists no [[model]]")
    _check_uses(catalog, path)
    return catalog


def _read(tables: dict[str, Any], table: str, kind: type[Named], path: Path) -> list[Named]:
    entries = [kind.model_validate(values).located(path.parent) for values in tables.pop(table, [])]
    if len(_by_name(entries)) < len(entries):
        raise ConfigError(f"two entries of [[{table}]] have one name")
    return entries


def _located(model: Model, folder: Path) -> Model:
    """The same with absolute places of what goes with it."""
    places = {
        name: locate(f"{model.name}.{name}", source, getattr(model, f"{name}_revision"), folder)
        for name in ("tiny_vae", "safety_checker")
        if (source := getattr(model, name))
    }
    return model.model_copy(update=places)


def _check_uses(catalog: Catalog, path: Path) -> None:
    """Raise ConfigError for an addition to a model that is not there or cannot take it."""
    uses = (
        *((lora.name, lora.models, "has_loras") for lora in catalog.loras.values()),
        *((net.name, net.models, "controlnet_modes") for net in catalog.controlnets.values()),
        *((model.name, model.refiner_of, "takes_refiner") for model in catalog.refiners.values()),
    )
    for name, models, fact in uses:
        for model in models:
            if model not in catalog:
                raise ConfigError(f"{path}: {name} is for model {model}, which is not listed")
            if not getattr(catalog[model].facts, fact):
                raise ConfigError(
                    f"{path}: {name} cannot be added to {model}:"
                    f" family {catalog[model].family} takes none of its kind"
                )


def _by_name(entries: Iterable[Named]) -> dict[str, Named]:
    return {entry.name: entry for entry in entries}


def _for(model: Model, adapters: Mapping[str, Added]) -> dict[str, Added]:
    return {name: adapter for name, adapter in adapters.items() if model.name in adapter.models}
