"""What is asked of the farm: everything of order `number` follows from it and the seed."""

import random
from dataclasses import dataclass
from typing import Any, Literal

from tests.chaos.engine import LATE_POISON, POISON, RAISES

Kind = Literal["plain", "twin", "burst", "poison", "raises"]
_STEPS = 4
# Of every hundred orders, these come at once and ask for the same.
_BURST = range(20, 30)


@dataclass(frozen=True)
class Order:
    """One request under one idempotency key, and what its caller does besides.

    A twin asks for what an earlier one asked for: it is answered from the cache or
    by one run for several. It is posted when order `together_with` is due;
    `cancel_after_s`, `repeat_after_s` and `looks_after_s` count from the acknowledgement.
    """

    key: str
    together_with: int
    kind: Kind
    body: dict[str, Any]
    cancel_after_s: float | None
    repeat_after_s: float | None
    looks_after_s: tuple[float, ...]


def make_order(number: int, seed: int, webhook: str, poisons: int, jobs: int) -> Order:
    """Order `number` of `jobs`; `poisons` of them, evenly spread, kill their worker."""
    dice = random.Random(f"{seed}/{number}")
    kind = _kind(number, dice, max(1, jobs // max(1, poisons)) if poisons else 0)
    return Order(
        key=f"{seed}-{number}",
        together_with=number - number % 100 + _BURST.start if kind == "burst" else number,
        kind=kind,
        body=_body(_prompt(number, kind, dice), kind, webhook, dice),
        cancel_after_s=dice.uniform(0, 1.5) if dice.random() < 0.05 else None,
        repeat_after_s=dice.uniform(0, 5) if dice.random() < 0.1 else None,
        looks_after_s=tuple(sorted(dice.uniform(0, 8) for _ in range(2))),
    )


def _kind(number: int, dice: random.Random, poison_every: int) -> Kind:
    if poison_every and number % poison_every == poison_every // 2:
        return "poison"
    if number % 100 in _BURST:
        return "burst"
    roll = dice.random()
    if roll < 0.01:
        return "raises"
    return "twin" if roll < 0.08 else "plain"


def _prompt(number: int, kind: Kind, dice: random.Random) -> str:
    match kind:
        case "poison":
            return f"{dice.choice((POISON, LATE_POISON))} {number}"
        case "raises":
            return f"{RAISES} {number}"
        case "burst":
            return f"burst {number // 100}"
        case "twin":
            return f"prompt {number - dice.randint(1, 12)}"
        case _:
            return f"prompt {number}"


def _body(prompt: str, kind: Kind, webhook: str, dice: random.Random) -> dict[str, Any]:
    body: dict[str, Any] = {"prompt": prompt, "num_inference_steps": _STEPS}
    if dice.random() < 0.5:
        body["webhook"] = webhook
        body["webhook_events_filter"] = dice.choice((["completed"], ["start", "completed"]))
    if kind != "burst" and dice.random() < 0.1:
        body["num_images"] = 2
    if dice.random() < 0.1:
        body["priority"] = 1
    return body
