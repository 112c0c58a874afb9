"""How a JSON body is read: once, strictly, and never with a 5xx."""

import json
import math
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from flask import Request

from myriad.errors import BodyTooLarge, InvalidRequest, UnsupportedMediaType


@dataclass(frozen=True)
class JsonBody:
    """A parsed body, and the SHA-256 of its canonical form: equal requests have equal digests."""

    value: Any
    digest: str


class StrictRequest(Request):
    """Refuses what lenient readers disagree on: other content types, repeated names, NaN,
    bytes that are not UTF-8, lone surrogates, nesting beyond Python's stack.
    """

    @cached_property
    def json_body(self) -> JsonBody:
        if not self.is_json:
            raise UnsupportedMediaType("send the body as Content-Type: application/json")
        return _parse(self._whole_body())

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The parsed body. Raises InvalidRequest or UnsupportedMediaType, whatever `force` says."""
        return self.json_body.value

    def _whole_body(self) -> bytes:
        """All of the body. Werkzeug would take one that is cut short, or cut one at the limit."""
        body = self.get_data()
        if self.content_length is None and len(body) >= (self.max_content_length or math.inf):
            raise BodyTooLarge("the body is larger than this farm reads")
        if self.content_length not in (None, len(body)):
            raise InvalidRequest("the body is shorter than its Content-Length")
        return body


def _parse(body: bytes) -> JsonBody:
    try:
        value = json.loads(
            body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_unique_names
        )
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return JsonBody(value, sha256(canonical.encode()).hexdigest())
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply") from None
    except UnicodeError:
        raise InvalidRequest("the body is not valid UTF-8 text") from None
    except ValueError as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("an object names a field twice")
    return values
