"""The canonical key of a request: equal keys mean equal pictures."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from myriad.catalog import Model
from myriad.params import GenerationParams


@dataclass(frozen=True)
class CacheKey:
    """`exact` covers everything, seed included; `any_seed` all but the seed.

    Both are 64 hex digits and hold the scope: the API key whose results may
    answer the request, or "" where the operator shares the cache.
    """

    exact: str
    any_seed: str


def cache_key(params: GenerationParams, model: Model, scope: str = "") -> CacheKey:
    """Key over the weights' fingerprint and every parameter, the prompt letter by letter."""
    values = params.to_json()
    seed = values.pop("seed")
    base = {"scope": scope, "model": model.name, "weights": model.fingerprint, "params": values}
    return CacheKey(exact=_digest(base | {"seed": seed}), any_seed=_digest(base))


def _digest(values: Mapping[str, object]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
