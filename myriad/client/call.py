"""What a flow asks of whoever runs it: one HTTP exchange, or a pause."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import httpx

_T = TypeVar("_T")


@dataclass(frozen=True)
class Call:
    """One request, which may be sent again. Only those to the farm's own API carry the key.

    With an idempotency key the farm takes it in once, however often it is sent.
    """

    method: str
    url: str
    json: Any = None
    files: Mapping[str, tuple[str, bytes]] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None
    is_link: bool = False


@dataclass(frozen=True)
class Pause:
    """Nothing to be done for so many seconds."""

    seconds: float


Reply: TypeAlias = httpx.Response | httpx.HTTPError | None
"""What came of a step: an answer, or why there is none; None after a pause."""

Flow: TypeAlias = Generator[Call | Pause, Reply, _T]
"""A conversation with the farm that opens no connection: it yields steps and is sent replies.

So the client that waits and the one that awaits share all but the waiting.
"""
