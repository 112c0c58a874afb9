"""An API key as everyone but its table knows it: whose it is, what it may do, how much."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from myriad.errors import InvalidRequest

MAX_NAME_CHARS = 64
DEFAULT_SCOPES = ("read", "write")
LIMIT_NAMES = ("rate_per_minute", "max_running", "max_queued", "megapixel_steps_per_day")
"""What a key may have limits of its own for."""
_FRACTIONAL = frozenset({"megapixel_steps_per_day"})

_USE_IS_NOTED_EVERY = timedelta(minutes=1)


class Scope(StrEnum):
    """What a key opens."""

    READ = "read"
    """Looking at one's own jobs and pictures, and at the models."""
    WRITE = "write"
    """Asking for pictures, handing them in, canceling and deleting."""
    PRIORITY = "priority"
    """Asking for jobs that go before everybody else's, together with `write`."""
    METRICS = "metrics"
    """`GET /metrics`, and nothing else."""
    ADMIN = "admin"
    """Everything, of everybody."""


@dataclass(frozen=True)
class ApiKey:
    """A caller as the doors know it. `limits` overrule the farm's settings of these names.

    After a rotation the secret before is good until `old_expires_at`.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    limits: Mapping[str, float]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    old_expires_at: datetime | None
    last_used_at: datetime | None

    def allows(self, scope: Scope) -> bool:
        """Whether the key opens what `scope` names."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def state(self, now: datetime) -> str:
        """`good`, `revoked` or `expired`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "good"

    def is_use_due(self, now: datetime) -> bool:
        """Whether this use of it is worth writing down: one a minute is."""
        return self.last_used_at is None or self.last_used_at <= now - _USE_IS_NOTED_EVERY


def check_name(name: str) -> str:
    """The name, if lists and logs can show it. Raises InvalidRequest."""
    if not name.isprintable() or not 1 <= len(name.strip()) <= len(name) <= MAX_NAME_CHARS:
        raise InvalidRequest(f"must be 1 to {MAX_NAME_CHARS} printable characters", field="name")
    return name


def check_limits(limits: Mapping[str, float]) -> dict[str, float]:
    """The limits, whole numbers as such. Raises InvalidRequest naming the bad one."""
    for name, most in limits.items():
        if name not in LIMIT_NAMES:
            raise InvalidRequest(f"must be one of {', '.join(LIMIT_NAMES)}", field=name)
        if not 0 <= most < float("inf"):
            raise InvalidRequest("must be a number from 0", field=name)
        if most != int(most) and name not in _FRACTIONAL:
            raise InvalidRequest("must be a whole number", field=name)
    return {name: int(most) if most == int(most) else most for name, most in limits.items()}
