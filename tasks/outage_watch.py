"""What the janitor does when it could not look for a while: the database was away, or frozen."""

from time import monotonic

import structlog

_log = structlog.get_logger(__name__)


class OutageWatch:
    """After half a lease without a good round, nobody is taken for dead for one lease.

    Workers cannot renew while the database is away: all leases run out together, and
    would be taken for those of dead workers if the janitor came back before they did.
    """

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._good = self._began = monotonic()
        self._wary_until = self._began

    def is_wary(self) -> bool:
        """Whether leases that have run out prove nothing yet. Ask at the start of every round."""
        self._began = monotonic()
        if self._began - self._good > self._lease_s / 2:
            if self._began >= self._wary_until:
                _log.warning("was_away", seconds=round(self._began - self._good))
            self._wary_until = self._began + self._lease_s
        return self._began < self._wary_until

    def note_good_round(self) -> None:
        """The round that began last has gone through: what it saw was true at its beginning."""
        self._good = self._began

    def note_long_work(self) -> None:
        """The janitor was busy with something else, and the database answered it to the end."""
        self._good = monotonic()
