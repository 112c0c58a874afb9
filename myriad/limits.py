"""How much one caller may ask for."""

from collections.abc import Mapping
from dataclasses import dataclass

from myriad.settings import Settings


@dataclass(frozen=True)
class CallerLimits:
    """The farm's settings, overruled by the limits of the caller's API key. 0: no limit.

    How many jobs of it may run at once is the key's own `max_running` alone, which
    dispatch reads for itself (`myriad.db.share`).
    """

    rate_creates: str
    rate_reads: str
    max_queued: int
    megapixel_steps_per_day: float


def limits_of(settings: Settings, own: Mapping[str, float]) -> CallerLimits:
    """The limits in force for a caller whose key has `own` ones (`myriad.key.LIMIT_NAMES`)."""
    per_minute = own.get("rate_per_minute")
    return CallerLimits(
        rate_creates=settings.rate_creates if per_minute is None else f"{per_minute:.0f}/minute",
        rate_reads=settings.rate_reads,
        max_queued=int(own.get("max_queued", settings.max_queued)),
        megapixel_steps_per_day=own.get(
            "megapixel_steps_per_day", settings.megapixel_steps_per_day
        ),
    )
