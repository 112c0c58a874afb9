"""Who may do what: one line for every rule of the front end, and what each caller hears."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

CALLERS = ("owner", "other", "reader", "metrics", "admin", "nobody", "revoked", "expired")
"""`owner` has the job; `other`, `reader` (scope `read`) and `metrics` are tenants of their own."""

GONE = ("nobody", "revoked", "expired")
PROMPT, LABEL = "a canary on a wire", "canary-label"
"""The owner's alone: nobody else but an admin may ever read them."""

JOB = {"prompt": PROMPT, "metadata": {"note": LABEL}}


class Kind(Enum):
    """What a rule leads to."""

    PUBLIC = "the same for everybody, or for whoever holds a signed link"
    PLAIN = "for every key of the scope; what it shows is the caller's own"
    OWNED = "one job or batch, its owner's: to others as if there were none"
    METRICS = "for the scope `metrics`"
    ADMIN = "for the scope `admin`"


@dataclass(frozen=True)
class Access:
    """Of one rule and method: its kind, and a request that a permitted caller gets through with."""

    kind: Kind
    sent: Mapping[str, Any] = field(default_factory=dict)
    is_of_batch: bool = False
    """Whether the id in the rule is a batch's."""


_PUBLIC = Access(Kind.PUBLIC)
_PLAIN = Access(Kind.PLAIN)
_OWNED = Access(Kind.OWNED)
_OWNED_BATCH = Access(Kind.OWNED, is_of_batch=True)

TABLE: Mapping[str, Access] = {
    "GET /static/<path:filename>": _PUBLIC,
    "GET /openapi.json": _PUBLIC,
    "GET /livez": _PUBLIC,
    "GET /readyz": _PUBLIC,
    "GET /files/<token>": _PUBLIC,
    "GET /docs": _PUBLIC,
    "GET /login": _PUBLIC,
    "POST /login": _PUBLIC,
    "POST /logout": _PUBLIC,
    "GET /metrics": Access(Kind.METRICS),
    "GET /api/v1/webhooks/default/secret": Access(Kind.ADMIN),
    "GET /api/v1/models": _PLAIN,
    "GET /api/v1/jobs": _PLAIN,
    "POST /api/v1/jobs": Access(Kind.PLAIN, {"json": {"prompt": "x"}}),
    "POST /api/v1/inputs": _PLAIN,
    "GET /api/v1/jobs/<job:job_id>": _OWNED,
    "GET /api/v1/jobs/<job:job_id>/preview": _OWNED,
    "POST /api/v1/jobs/<job:job_id>/cancel": _OWNED,
    "DELETE /api/v1/jobs/<job:job_id>": _OWNED,
    "GET /api/v1/batches": _PLAIN,
    "POST /api/v1/batches": Access(Kind.PLAIN, {"json": {"jobs": [{"prompt": "x"}]}}),
    "GET /api/v1/batches/<job:batch_id>": _OWNED_BATCH,
    "POST /api/v1/batches/<job:batch_id>/cancel": _OWNED_BATCH,
    "GET /": _PLAIN,
    "POST /": Access(Kind.PLAIN, {"data": {"prompt": "x"}}),
    "GET /gallery": _PLAIN,
    "GET /jobs/<job:job_id>": _OWNED,
    "GET /jobs/<job:job_id>.json": _OWNED,
    "GET /jobs/<job:job_id>/panel": _OWNED,
    "GET /jobs/<job:job_id>/preview": _OWNED,
    "POST /jobs/<job:job_id>/cancel": _OWNED,
    "GET /jobs/<job:job_id>/delete": _OWNED,
    "POST /jobs/<job:job_id>/delete": _OWNED,
    "POST /jobs/<job:job_id>/retry": _OWNED,
    "POST /jobs/<job:job_id>/remix": _OWNED,
}
"""By method and rule. Rules of doors need no line: see `test_tenants`."""

DOOR_READS: frozenset[str] = frozenset()
"""Rules of doors that need only `read` though their method could change something."""

DOOR_ADMINS = frozenset({"GET /v1/webhooks/default/secret"})
"""Rules of doors that are for the scope `admin` alone."""
