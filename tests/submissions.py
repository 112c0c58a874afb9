"""Requests for tests, made as a door makes them."""

from pathlib import Path
from typing import Any

from myriad.cache_key import fingerprints
from myriad.catalog import Catalog, Defaults, Model
from myriad.resolve import resolve
from myriad.submission import Submission

MODEL = Model(
    name="tiny",
    family="sd",
    source=str(Path(__file__).parent),
    revision="r1",
    defaults=Defaults(width=64, height=64, num_inference_steps=4),
)


def make_submission(prompt: str = "a red circle", **values: Any) -> Submission:
    """A submission; parameters by their own names, the rest as Submission's fields."""
    fields = {name: values.pop(name) for name in list(values) if name in _FIELDS}
    params = resolve({"prompt": prompt, **values}, MODEL)
    weights = fingerprints(params, MODEL, Catalog([MODEL]))
    return Submission(
        model=MODEL, params=params, weights=weights, seed_given="seed" in values, **fields
    )


_FIELDS = frozenset(Submission.__dataclass_fields__) - {
    "model",
    "params",
    "weights",
    "seed_given",
}
