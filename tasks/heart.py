"""Keeps a worker's leases alive, and tells its stages when to stop."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread

import structlog

from myriad.db.claim import renew
from myriad.errors import LeaseLost, MyriadError, ShuttingDown, Stopped
from myriad.farm import Farm
from myriad.lease import Lease

_TELL_EVERY_S = 0.1

_log = structlog.get_logger(__name__)


class LeaseControl:
    """One running stage's line to the outside (`tasks.runner.Control`)."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self._stopped: Stopped | None = None
        self._fraction = 0.0
        self._is_told = True

    def check(self) -> None:
        """Raise what `stop` was called with."""
        if self._stopped:
            raise self._stopped

    def progress(self, done: int, total: int) -> None:
        self._fraction, self._is_told = done / max(total, 1), False

    def stop(self, why: Stopped) -> None:
        """End the stage at its next step; the first reason stands."""
        self._stopped = self._stopped or why

    def untold(self) -> float | None:
        """Progress not yet published, once."""
        if self._is_told:
            return None
        self._is_told = True
        return self._fraction


class Heart:
    """Renews every lease of a worker each quarter of its length, and publishes progress."""

    def __init__(self, farm: Farm, on_beat: Callable[[], None] | None = None) -> None:
        self._farm = farm
        self._on_beat = on_beat or (lambda: None)
        self._controls: dict[str, LeaseControl] = {}
        self._lock = Lock()
        self._closing = Event()
        self._is_draining = False
        self._thread = Thread(target=self._loop, name="heart", daemon=True)
        # Progress has a thread of its own: a broker that hangs must not cost a lease.
        self._teller = Thread(target=self._tell, name="progress", daemon=True)
        self._cancels = farm.signals.listen_for_cancels(self._canceled, self._closing)
        self._thread.start()
        self._teller.start()

    @property
    def is_draining(self) -> bool:
        """Whether no new work may be taken."""
        return self._is_draining

    @contextmanager
    def hold(self, lease: Lease) -> Iterator[LeaseControl]:
        """Keep `lease` alive for as long as the block runs."""
        control = LeaseControl(lease)
        with self._lock:
            self._controls[lease.job_id] = control
        if self._is_draining:
            self._drain(control)  # registered too late to be told
        try:
            yield control
        finally:
            with self._lock:
                if self._controls.get(lease.job_id) is control:
                    del self._controls[lease.job_id]

    def drain(self) -> None:
        """Stop every stage at its next step so that its job can be handed back."""
        self._is_draining = True
        for control in self._held():
            self._drain(control)

    @staticmethod
    def _drain(control: LeaseControl) -> None:
        control.stop(ShuttingDown("the worker is going away"))

    def close(self) -> None:
        """Stop beating; leases that are still held will run out."""
        self._closing.set()
        self._thread.join()
        self._cancels.join()

    def _held(self) -> list[LeaseControl]:
        with self._lock:
            return list(self._controls.values())

    def _canceled(self, job_id: str) -> None:
        for control in self._held():
            if control.lease.job_id == job_id:
                control.stop(LeaseLost("the job was canceled"))

    def _loop(self) -> None:
        self._beat()
        while not self._closing.wait(self._farm.settings.lease_s / 4):
            self._beat()

    def _beat(self) -> None:
        try:
            self._renew()
            self._on_beat()
        except MyriadError as error:
            # Nobody else can take the leases over while the database is away.
            _log.warning("heartbeat_missed", error=error.message)
        except Exception:
            # Without this thread every longer stage would be taken for lost.
            _log.exception("heartbeat_missed")

    def _renew(self) -> None:
        held = self._held()
        alive = renew(
            self._farm.db, [control.lease for control in held], self._farm.settings.lease_s
        )
        for control in held:
            if control.lease.job_id not in alive:
                control.stop(LeaseLost("the job was canceled or taken over"))

    def _tell(self) -> None:
        while not self._closing.wait(_TELL_EVERY_S):
            for control in self._held():
                fraction = control.untold()
                if fraction is not None:
                    self._farm.signals.set_progress(control.lease.job_id, fraction)
