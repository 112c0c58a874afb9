"""A model as the native API lists it."""

from collections.abc import Sequence
from typing import Any

from myriad.catalog import Catalog, Model
from myriad.db.workers import WorkerRecord
from myriad.resident import Tier

_HIDDEN = {
    *("source", "revision", "refiner_of"),
    *("tiny_vae", "tiny_vae_revision", "safety_checker", "safety_checker_revision"),
}


def model_view(
    model: Model, catalog: Catalog, workers: Sequence[WorkerRecord] = ()
) -> dict[str, Any]:
    """What the model takes, what may be added to it, and which pools hold it ready."""
    nets, loras = catalog.controlnets_of(model), catalog.loras_of(model)
    return model.model_dump(mode="json", exclude=_HIDDEN) | {
        "max_prompt_tokens": model.prompt_tokens,
        "is_default": model is catalog.default,
        "modes": sorted(model.modes),
        "controlnet_modes": sorted(model.facts.controlnet_modes) if nets else [],
        "controlnets": [
            {"name": net.name, "title": net.title, "kind": net.kind} for net in nets.values()
        ],
        "loras": [
            {"name": lora.name, "title": lora.title, "trigger": lora.trigger}
            for lora in loras.values()
        ],
        "refiners": [
            {"name": refiner.name, "title": refiner.title}
            for refiner in catalog.refiners_of(model).values()
        ],
        "schedulers": list(model.facts.schedulers),
        "resident": _resident(model, workers),
    }


def _resident(model: Model, workers: Sequence[WorkerRecord]) -> list[dict[str, Any]]:
    """Pools and tiers that hold it, nearest first: how many workers, and the bytes in each."""
    found: dict[tuple[Tier, str], list[int]] = {}
    for worker in workers:
        for each in worker.models:
            if each.model == model.name:
                found.setdefault((each.tier, worker.pool), []).append(each.size_bytes)
    order = sorted(found, key=lambda place: (list(Tier).index(place[0]), place[1]))
    return [
        {
            "pool": pool,
            "tier": tier.value,
            "workers": len(found[tier, pool]),
            "size_bytes": max(found[tier, pool]),
        }
        for tier, pool in order
    ]
