"""The body as the server hands it over, made to fail in one way only."""

from typing import Protocol


class Readable(Protocol):
    """What PEP 3333 promises of `wsgi.input`, as far as it is used."""

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes; all that are left by default."""


class BodyStream:
    """Servers find out late that a chunk is malformed, and raise exceptions of their own.

    Werkzeug takes an OSError for a client that is gone, and answers 400.
    """

    def __init__(self, raw: Readable) -> None:
        self._raw = raw

    def read(self, size: int = -1) -> bytes:
        """As the server's. Raises OSError."""
        try:
            return self._raw.read(size)
        except Exception as error:
            raise OSError("the body cannot be read") from error
