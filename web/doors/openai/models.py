"""The list of models, as OpenAI's clients fill their menus with."""

from typing import Any

from myriad.mode import Mode
from web.doors.openai.door import openai
from web.doors.openai.model_name import find_model
from web.farm import current_farm


@openai.get("/models")
def list_models() -> Any:
    """Every model, the default first."""
    return {"object": "list", "data": [_view(name) for name in current_farm().catalog]}


@openai.get("/models/<name>")
def get_model(name: str) -> Any:
    """One model, also by one of OpenAI's names that stands for it."""
    if name in current_farm().catalog:
        return _view(name)
    mode = Mode.TEXT_TO_VIDEO if name.startswith("sora-") else Mode.TEXT_TO_IMAGE
    return _view(find_model(name, mode).name)


def _view(name: str) -> dict[str, Any]:
    # Nobody knows when it was made; clients only want a number.
    return {"id": name, "object": "model", "created": 0, "owned_by": "myriad"}
