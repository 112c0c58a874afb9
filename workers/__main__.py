"""`python -m workers POOL`: one worker process of that pool."""

import gc
import os
import sys

from myriad.errors import ConfigError
from myriad.farm import open_farm
from myriad.log import set_up_logging
from myriad.pool import find_pool
from myriad.settings import load_settings
from workers.allocator import keep_freed_memory


def main(pool_name: str) -> None:
    keep_freed_memory()
    settings = load_settings()
    # Read by diffusers and transformers when they are imported, below.
    os.environ.setdefault("DIFFUSERS_DISABLE_REMOTE_CODE", "1")
    # Compiled kernels outlive the process that made them.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(settings.home.absolute() / "compiled"))
    # It tells of optional packages that no stage here uses.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from tasks.worker import serve
    from workers.label import Labelling
    from workers.runner import Runner

    # What was imported stays: the collector need not look at it each time the engine stands still.
    gc.collect()
    gc.freeze()
    set_up_logging(settings)
    farm = open_farm(settings)
    pool = find_pool(farm.pools, pool_name)
    labelling = Labelling.of(settings)
    runner = Runner(farm.catalog, pool, settings.device, labelling=labelling)
    try:
        runner.preload_all()
        serve(
            farm,
            pool,
            runner,
            lambda: runner.residents,
            runner.measured,
            lambda: runner.held_models,
        )
    finally:
        runner.close()
        farm.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m workers POOL")
    try:
        main(sys.argv[1])
    except ConfigError as error:
        sys.exit(f"error: {error.message}")
