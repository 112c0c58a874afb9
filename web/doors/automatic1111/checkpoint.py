"""Which model a caller has chosen: `sd_model_checkpoint`, one for each API key."""

from typing import Any

from myriad.catalog import Catalog
from myriad.db.options import read_option, set_option
from myriad.errors import InvalidRequest
from myriad.model import Model
from web.auth import Caller
from web.farm import current_farm

CHECKPOINT = "sd_model_checkpoint"
_OPTION = f"automatic1111.{CHECKPOINT}"
_ENDINGS = (".safetensors", ".ckpt")


def find_checkpoint(name: object, catalog: Catalog) -> Model:
    """The model of that name or title, with or without an ending or a hash behind it.

    Raises InvalidRequest.
    """
    wanted = str(name).partition(" [")[0].strip().lower()
    for ending in _ENDINGS:
        wanted = wanted.removesuffix(ending)
    for model in catalog.values():
        if wanted in (model.name.lower(), model.title.lower()):
            return model
    raise InvalidRequest(f"model {str(name)[:100]!r} not found")


def chosen_model(caller: Caller) -> Model:
    """The caller's model; the farm's default before any choice, or if it is no longer offered."""
    farm = current_farm()
    name = read_option(farm.db, _OPTION, scope=caller.scope)
    return farm.catalog.get(name, farm.catalog.default)


def choose_model(name: object, caller: Caller) -> None:
    """Remember the choice for this caller alone. Raises InvalidRequest."""
    farm = current_farm()
    model = find_checkpoint(name, farm.catalog)
    set_option(farm.db, _OPTION, model.name, scope=caller.scope)


def model_for(override: dict[str, Any], caller: Caller) -> Model:
    """The model of one request: what it asks for itself, else the caller's choice."""
    name = override.get(CHECKPOINT)
    return find_checkpoint(name, current_farm().catalog) if name else chosen_model(caller)
