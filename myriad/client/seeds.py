"""What a diffusers call gives as `generator`, as seeds; torch is not needed for it."""

import secrets
from typing import Any

from myriad.errors import InvalidRequest

_MAX_SEED = 2**53 - 1


def seeds_of(generator: Any, count: int) -> list[int]:
    """A seed for each of `count` pictures.

    One generator (`torch.Generator`, or an int as its seed) stands for its seed and those
    that follow it, a list has one for each picture, and without any they are drawn by lot.
    """
    if generator is None:
        return _following(secrets.randbelow(_MAX_SEED - count), count)
    if not isinstance(generator, list | tuple):
        return _following(_seed_of(generator), count)
    if len(generator) != count:
        raise InvalidRequest(
            f"has {len(generator)} entries for {count} pictures", field="generator"
        )
    return [_seed_of(each) for each in generator]


def split(values: Any, count: int, name: str, of: str = "prompts") -> list[Any]:
    """One of `values` for each of `count` things: a list of as many, or one for all."""
    if not isinstance(values, list | tuple):
        return [values] * count
    if len(values) != count:
        raise InvalidRequest(f"has {len(values)} entries for {count} {of}", field=name)
    return list(values)


def _following(seed: int, count: int) -> list[int]:
    return list(range(seed, seed + count))


def _seed_of(generator: Any) -> int:
    if hasattr(generator, "initial_seed"):
        return int(generator.initial_seed())
    if isinstance(generator, int):
        return generator
    raise InvalidRequest("must be a torch.Generator, a seed, or a list of them", field="generator")
