"""Names of models and versions, as Replicate's clients give them."""

from myriad.errors import InvalidRequest, NotFound
from myriad.model import Model
from myriad.prediction import OWNER, version_of
from web.farm import current_farm


def find_model(owner: str, name: str) -> Model:
    """Raises NotFound; the models are ours alone."""
    model = current_farm().catalog.get(name)
    if owner != OWNER or model is None:
        raise NotFound(f"no model {owner[:64]}/{name[:64]}; this farm's are {OWNER}/NAME")
    return model


def find_version(text: str) -> Model:
    """The model of a version: its id, `owner/name:id`, or `owner/name`. Raises InvalidRequest."""
    name, _, version = text.rpartition(":")
    for model in current_farm().catalog.values():
        if text == f"{OWNER}/{model.name}":
            return model
        if name in ("", f"{OWNER}/{model.name}") and version == version_of(model):
            return model
    raise InvalidRequest("no such version here, or not this one any more", field="version")
