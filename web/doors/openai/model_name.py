"""Which of our models a client means, whatever name it was built with."""

import re

from myriad.errors import InvalidRequest, NotFound
from myriad.mode import Mode
from myriad.model import Model
from web.farm import current_farm

# What clients send when nobody told them better; several are names of retired models.
_THEIRS = re.compile(r"(gpt-image|dall-e|sora)-.+|chatgpt-image-latest")


def find_model(name: str | None, mode: Mode) -> Model:
    """The model of that name; for none and for OpenAI's own, our first that does `mode`.

    Raises NotFound for any other name, InvalidRequest if it does not do that, or none does.
    """
    catalog = current_farm().catalog
    if name and name in catalog:
        if mode not in catalog[name].modes:
            raise InvalidRequest(f"{name} does not do {mode}", field="model")
        return catalog[name]
    if name and not _THEIRS.fullmatch(name):
        raise NotFound(f"the model {name[:64]!r} does not exist", field="model")
    for model in catalog.values():
        if mode in model.modes:
            return model
    raise InvalidRequest(f"no model of this farm does {mode}", field="model")
