"""Keeps a worker's leases alive, and tells its stages when to stop."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread

import structlog

from myriad.db.claim import renew
from myriad.errors import LeaseLost, MyriadError, ShuttingDown
from myriad.farm import Farm
from tasks.control import LeaseControl
from tasks.stall import end_process, find_hanging

_LAST_WORDS_S = 5.0

_log = structlog.get_logger(__name__)


class Heart:
    """Renews every lease of a worker each quarter of its length.

    A stage that hangs is not renewed: its job is taken back by the janitor as
    that of any lost worker, and `on_hang(grace_s)` ends the process, with time
    enough to hand the others back (`tasks.departure`).
    """

    def __init__(
        self,
        farm: Farm,
        on_beat: Callable[[], None] | None = None,
        on_hang: Callable[[float], None] = end_process,
    ) -> None:
        self._farm = farm
        self._on_beat = on_beat or (lambda: None)
        self._on_hang = on_hang
        self._held: dict[tuple[str, int], LeaseControl] = {}
        self._hanging: set[LeaseControl] = set()
        self._lock = Lock()
        self._closing = Event()
        self._is_draining = False
        self._thread = Thread(target=self._loop, name="heart", daemon=True)
        self._cancels = farm.signals.listen_for_cancels(self._canceled, self._closing)
        self._thread.start()

    @property
    def is_draining(self) -> bool:
        """Whether no new work may be taken."""
        return self._is_draining

    @property
    def has_hung(self) -> bool:
        """Whether a stage was found that hangs, for which the process is to end."""
        return bool(self._hanging)

    @contextmanager
    def hold(self, control: LeaseControl) -> Iterator[None]:
        """Keep the control's lease alive for as long as the block runs."""
        key = (control.lease.job_id, control.lease.attempt)
        with self._lock:
            self._held[key] = control
        if self._is_draining:
            self._drain(control)  # registered too late to be told
        try:
            yield
        finally:
            with self._lock:
                del self._held[key]

    def held(self) -> list[LeaseControl]:
        """The stages of this worker, lost ones that have not ended yet included."""
        with self._lock:
            return list(self._held.values())

    def renewed(self) -> list[LeaseControl]:
        """The stages of this worker, without those that hang."""
        return [control for control in self.held() if control not in self._hanging]

    def drain(self) -> None:
        """Stop every stage at its next step so that its job can be handed back."""
        self._is_draining = True
        for control in self.held():
            self._drain(control)

    @staticmethod
    def _drain(control: LeaseControl) -> None:
        control.stop(ShuttingDown("the worker is going away"))

    def close(self) -> None:
        """Stop beating; leases that are still held will run out."""
        self._closing.set()
        self._thread.join()
        self._cancels.join()

    def _canceled(self, job_id: str) -> None:
        for control in self.held():
            if control.lease.job_id == job_id:
                control.stop(LeaseLost("the job was canceled"))

    def _loop(self) -> None:
        self._beat()
        while not self._closing.wait(self._farm.settings.lease_s / 4):
            self._beat()

    def _beat(self) -> None:
        try:
            self._look_for_hanging()
            self._renew()
            if not self._is_draining:
                self._on_beat()
        except MyriadError as error:
            # Nobody else can take the leases over while the database is away.
            _log.warning("heartbeat_missed", error=error.message)
        except Exception:
            # Without this thread every longer stage would be taken for lost.
            _log.exception("heartbeat_missed")

    def _look_for_hanging(self) -> None:
        hanging = find_hanging(self.held(), self._farm.settings.stall_s)
        if hanging and not self._hanging:
            jobs = [control.lease.job_id for control in hanging]
            _log.error("stage_hangs", jobs=jobs, silent_s=round(hanging[0].silent_s))
            settings = self._farm.settings
            self._on_hang(max(settings.lease_s, settings.drain_s + _LAST_WORDS_S))
        self._hanging.update(hanging)

    def _renew(self) -> None:
        held = self.renewed()
        alive = renew(
            self._farm.db, [control.lease for control in held], self._farm.settings.lease_s
        )
        for control in held:
            if control.lease.job_id not in alive:
                control.stop(LeaseLost("the job was canceled or taken over"))
