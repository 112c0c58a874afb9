"""One worker process: a Celery worker on the threads execution pool, around a stage runner."""

import os
import secrets
import socket
import warnings
from collections.abc import Callable, Sequence

import structlog
from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import worker_shutting_down

from myriad.claimant import Claimant
from myriad.db.workers import forget_worker, report_worker
from myriad.errors import MyriadError
from myriad.farm import Farm
from myriad.pool import Pool
from myriad.resident import Resident
from tasks.app import create_celery
from tasks.checkpoint import Checkpoints
from tasks.dispatch import Dispatcher
from tasks.heart import Heart
from tasks.nudge import Nudge
from tasks.preemption import Preemption
from tasks.runner import StageRunner
from tasks.stages import register_stages
from tasks.teller import Teller
from tasks.work import StageWork

_log = structlog.get_logger(__name__)


def serve(
    farm: Farm,
    pool: Pool,
    runner: StageRunner,
    residents: Callable[[], Sequence[Resident]] = tuple,
) -> None:
    """Serve the pool's queues until SIGTERM or SIGINT; unfinished stages are handed back."""
    device = farm.settings.device or pool.device
    who = Claimant(_name(pool), pool.name, device, pool.stages, pool.models)
    celery = create_celery(farm.settings)
    nudge = Nudge(Dispatcher(farm, celery))
    heart = Heart(farm, on_beat=lambda: report_worker(farm.db, who, pool.concurrency, residents()))
    checkpoints = Checkpoints(farm.artifacts)
    teller = Teller(farm.signals, heart.held)
    preemption = Preemption(farm, who, pool.concurrency, heart)
    register_stages(celery, StageWork(farm, runner, who, heart, checkpoints, nudge))

    def drain(**_: object) -> None:
        heart.drain()

    worker_shutting_down.connect(drain, weak=False)
    try:
        _consume(celery, pool, who)
    finally:
        for part in (preemption, teller, checkpoints, heart, nudge):
            part.close()
        _leave(farm, who)


def _consume(celery: Celery, pool: Pool, who: Claimant) -> None:
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
    )
    worker.start()


def _leave(farm: Farm, who: Claimant) -> None:
    try:
        forget_worker(farm.db, who.name)
    except MyriadError as error:
        _log.warning("not_signed_off", worker=who.name, error=error.message)


def _name(pool: Pool) -> str:
    """Unique for ever, so that a lease never seems to belong to a successor of equal pid."""
    return f"{pool.name}@{socket.gethostname()[:40]}.{os.getpid()}.{secrets.token_hex(3)}"
