"""Which faults a long run has, and in which order."""

import random

from myriad.fault import POINTS


def plan(kills: int, dice: random.Random, *, has_postgres: bool, has_s3: bool) -> list[str]:
    """Names of faults for a run of about `kills` kills, shuffled.

    A third of the kills are at the named points, the others fall on any moment.
    """
    at_points = [f"point {point}" for point in POINTS for _ in range(max(1, kills // 22))]
    weights = {
        "kill worker": 9,
        "kill web": 6,
        "kill janitor": 5,
        "kill sender": 5,
        "broker keeps": 2,
        "broker forgets": 2,
    }
    # A point that nobody reaches in time is no kill: a few more make up for it.
    rest = max(0, kills - len(at_points)) + kills // 50
    anywhere = dice.choices(list(weights), list(weights.values()), k=rest)
    troubles = ["flush", "hints lost", "hints doubled", "hints doubled", "freeze worker"]
    if has_s3:
        troubles += ["s3 errors", "s3 stalls", "s3 truncates"]
    else:
        troubles += ["disk full"]
    if has_postgres:
        troubles += ["database stops"]
    rare = ["clock forward", "clock back", "freeze janitor", "freeze sender"]
    rounds = max(1, kills // 40)
    faults = [*at_points, *anywhere, *troubles * rounds, *rare * max(1, rounds // 3)]
    dice.shuffle(faults)
    return faults
