"""Which other pools are alive and could do a stage."""

from myriad.db.workers import live_workers
from myriad.farm import Farm
from myriad.job import Stage


def other_pools(farm: Farm, pool: str, stage: Stage, model: str) -> set[str]:
    """Names of the pools with a live worker, `pool` left out, that serve `stage` of `model`."""
    live = {worker.pool for worker in live_workers(farm.db, within_s=farm.settings.lease_s)}
    return {
        other.name
        for other in farm.pools
        if other.name != pool and other.name in live and other.serves(stage, model)
    }
