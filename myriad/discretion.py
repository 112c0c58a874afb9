"""What callers wrote, kept out of the logs even where a library puts it into an error's message."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SHORTEST = 8
"""Shorter texts are words that a line may have reasons of its own to use."""

_HUSHED = "…"
_unspoken: ContextVar[tuple[str, ...]] = ContextVar("unspoken", default=())


@contextmanager
def discreet(texts: Iterable[str | None]) -> Iterator[None]:
    """While the block runs, no line of this thread's log holds any of the texts as a whole."""
    kept = {text for text in texts if text and len(text) >= _SHORTEST}
    # As they are, and as repr and tracebacks of pydantic and the like show them.
    forms = kept | {repr(text)[1:-1] for text in kept}
    token = _unspoken.set((*_unspoken.get(), *sorted(forms, key=len, reverse=True)))
    try:
        yield
    finally:
        _unspoken.reset(token)


def hushed(text: str) -> str:
    """`text` without what must not be told here."""
    for unspoken in _unspoken.get():
        text = text.replace(unspoken, _HUSHED)
    return text
