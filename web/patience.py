"""Looking whether jobs have ended, with patience for a database that is away for a moment."""

from collections.abc import Callable
from time import monotonic

from myriad.errors import DatabaseUnavailable
from web.wait import Live

_PATIENCE_S = 10.0


class PatientLook:
    """A `Live` that takes no job for ended while nobody can tell, for some seconds.

    So a restart of the database ends no answer that is held. If it takes longer, it
    raises DatabaseUnavailable, for whoever waits to hear of it.
    """

    def __init__(
        self, live: Live, *, patience_s: float = _PATIENCE_S, now: Callable[[], float] = monotonic
    ) -> None:
        self._live, self._patience_s, self._now = live, patience_s, now
        self._away_since: float | None = None

    def __call__(self, job_ids: set[str]) -> set[str]:
        try:
            live = self._live(job_ids)
        except DatabaseUnavailable:
            now = self._now()
            self._away_since = now if self._away_since is None else self._away_since
            if now - self._away_since > self._patience_s:
                raise
            return job_ids
        self._away_since = None
        return live
