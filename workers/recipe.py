"""What restores a job from the file it made: model and params, and nothing about whose it was."""

import json

from myriad.params import GenerationParams


def write_recipe(model: str, params: GenerationParams) -> str:
    """One line of JSON in ASCII."""
    return json.dumps({"model": model, "params": params.to_json()})


def read_recipe(text: str | bytes) -> tuple[str, GenerationParams] | None:
    """The inverse of `write_recipe`; None for anything else."""
    try:
        values = json.loads(text)
        model, params = values["model"], GenerationParams.from_json(values["params"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (model, params) if isinstance(model, str) else None
