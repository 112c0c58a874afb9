"""The canonical key of a request: equal keys mean equal pictures."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from myriad.catalog import Catalog
from myriad.model import Model
from myriad.params import GenerationParams


@dataclass(frozen=True)
class CacheKey:
    """`exact` covers everything, seed included; `any_seed` all but the seed.

    Both are 64 hex digits and hold the scope: the API key whose results may
    answer the request, or "" where the operator shares the cache.
    """

    exact: str
    any_seed: str


def fingerprints(params: GenerationParams, model: Model, catalog: Catalog) -> dict[str, str]:
    """The exact weights behind every name in the request: model, LoRAs, ControlNets, refiner.

    And those of the safety checker: what passed another, or none, was not looked at.
    """
    named = {"model": model.fingerprint}
    if model.safety is not None:
        named["safety_checker"] = model.safety.fingerprint
    named |= {f"lora {use.name}": catalog.loras[use.name].fingerprint for use in params.loras}
    named |= {
        f"controlnet {use.model}": catalog.controlnets[use.model].fingerprint
        for use in params.controlnets
    }
    if params.refiner is not None:
        named["refiner"] = catalog.refiners[params.refiner.model].fingerprint
    return named


def cache_key(
    params: GenerationParams, model: Model, weights: Mapping[str, str], scope: str = ""
) -> CacheKey:
    """Key over the `weights` used (`fingerprints`) and every parameter.

    The prompt counts letter by letter, pictures handed in by their content.
    """
    values = params.to_json()
    seed = values.pop("seed")
    base = {"scope": scope, "model": model.name, "weights": dict(weights), "params": values}
    return CacheKey(exact=_digest(base | {"seed": seed}), any_seed=_digest(base))


def _digest(values: Mapping[str, object]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
