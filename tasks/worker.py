"""One worker process: a Celery worker on the threads execution pool, around a stage runner."""

import logging
import os
import secrets
import signal
import socket
import warnings
from collections.abc import Callable, Collection, Sequence

from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import worker_shutting_down

from myriad.claimant import Claimant
from myriad.db.migrate import check_migrated
from myriad.db.workers import report_worker
from myriad.farm import Farm
from myriad.measured import Measured
from myriad.pool import Pool
from myriad.resident import Resident
from tasks.app import create_celery
from tasks.checkpoint import Checkpoints
from tasks.departure import Departure
from tasks.dispatch import Dispatcher
from tasks.fitness import Fitness
from tasks.heart import Heart
from tasks.nudge import Nudge
from tasks.preemption import Preemption
from tasks.preference import Preference
from tasks.runner import StageRunner
from tasks.stages import register_stages
from tasks.teller import Teller
from tasks.work import StageWork


def serve(
    farm: Farm,
    pool: Pool,
    runner: StageRunner,
    residents: Callable[[], Sequence[Resident]] = tuple,
    measured: Callable[[], Measured] = Measured,
    held_models: Callable[[], Collection[str]] = tuple,
) -> None:
    """Serve the pool's queues until SIGTERM or SIGINT; unfinished stages are handed back.

    What `residents` and `measured` say is reported. Jobs of `held_models`, which are on
    the device, go before those of which a model would have to be loaded.

    Raises ConfigError if the database lacks a migration, and SystemExit with
    `UNFIT_EXIT` when this process turned out to be unable to work.
    """
    check_migrated(farm.db)
    device = farm.settings.device or pool.device
    who = Claimant(_name(pool), pool.name, device, pool.stages, pool.models)
    celery = create_celery(farm.settings)
    nudge = Nudge(Dispatcher(farm, celery))
    checkpoints = Checkpoints(farm.artifacts)

    def report() -> None:
        figures = measured().model_copy(update={"checkpoints": checkpoints.count})
        report_worker(farm.db, who, pool.concurrency, residents(), figures)

    heart = Heart(farm, on_beat=report)
    teller = Teller(farm.signals, heart.held)
    preemption = Preemption(farm, who, pool.concurrency, heart)
    models = [name for name in farm.catalog if pool.serves(pool.stages[0], name)]
    fitness = Fitness(lambda: os.kill(os.getpid(), signal.SIGTERM), len(models))
    preference = Preference(held_models, farm.signals)
    work = StageWork(farm, runner, who, heart, checkpoints, nudge, fitness, preference)
    register_stages(celery, work)
    departure = Departure(farm, who, heart, fitness)

    def leave(**_: object) -> None:
        departure.begin()

    worker_shutting_down.connect(leave, weak=False)
    try:
        _consume(celery, farm, pool, who)
    finally:
        for part in (preemption, teller, checkpoints, heart, nudge):
            part.close()
        departure.sign_off()
    if departure.exit_code:
        raise SystemExit(departure.exit_code)


def _consume(celery: Celery, farm: Farm, pool: Pool, who: Claimant) -> None:
    # It warns root of pickled messages; this app takes JSON alone.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = celery.Worker(
        pool="threads",
        concurrency=pool.concurrency,
        queues=[pool.queue(stage) for stage in pool.stages],
        hostname=who.name,
        # Workers speak through SQL; among themselves they have nothing to say.
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
        # Else it sets the root logger to its own.
        loglevel=logging.getLevelNamesMapping()[farm.settings.log_level.upper()],
    )
    worker.start()


def _name(pool: Pool) -> str:
    """Unique for ever, so that a lease never seems to belong to a successor of equal pid."""
    return f"{pool.name}@{socket.gethostname()[:40]}.{os.getpid()}.{secrets.token_hex(3)}"
