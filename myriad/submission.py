"""What a door hands in: a checked request that is ready to become a job."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from myriad.cache_key import CacheKey, cache_key
from myriad.job import EventKind
from myriad.model import Model
from myriad.params import GenerationParams


@dataclass(frozen=True)
class Submission:
    """One request, validated. `scope` is the caller's name in caches and idempotency keys.

    `weights` names all weights it uses (`myriad.cache_key.fingerprints`).
    `seed_given` is False when any seed will do; `use_cache` False forces a fresh
    run; `deadline_s` counts from its creation; `door` is the interface it came
    through; `batch_id` the batch it belongs to; `traceparent` the trace (W3C).
    `request_hash` tells two bodies under one `idempotency_key` apart; with
    `rebinds_key` the key names this job from now on, whatever it named before.
    """

    model: Model
    params: GenerationParams
    weights: Mapping[str, str]
    seed_given: bool
    use_cache: bool = True
    priority: int = 0
    deadline_s: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    webhook: str | None = None
    webhook_events_filter: tuple[EventKind, ...] = tuple(EventKind)
    api_key_id: str | None = None
    door: str = "native"
    batch_id: str | None = None
    traceparent: str | None = None
    is_cache_shared: bool = False
    idempotency_key: str | None = None
    request_hash: str = ""
    rebinds_key: bool = False

    @property
    def scope(self) -> str:
        return self.api_key_id or ""

    @property
    def keys(self) -> CacheKey:
        scope = "" if self.is_cache_shared else self.scope
        return cache_key(self.params, self.model, self.weights, scope)

    @property
    def flight_key(self) -> str:
        """What identical requests in flight have in common."""
        return self.keys.exact if self.seed_given else self.keys.any_seed
