"""A valid body, spoiled."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any
from urllib.parse import urlencode

from tests.hostile.nasty import JSON, TEXTS
from tests.hostile.sample import Part
from tests.web.bombs import BOMBS

_BOMBS = tuple(BOMBS.values())
_NAMES = (
    None,
    b"",
    b"\xff",
    b'a"; filename="b',
    b"image[]",
    b"image",
    b"mask",
    b"params",
    b"x" * 3000,
)
_FILES = (b"../../etc/passwd", b"\xff\xfe", b"a\r\nX: y", b"a.svg", b"<script>.png", b"")


class Raw(bytes):
    """JSON that is written as it stands."""


def written(value: Any) -> bytes:
    """JSON, or something near to it."""
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, dict):
        pairs = (written(name) + b":" + written(each) for name, each in value.items())
        return b"{" + b",".join(pairs) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(written, value)) + b"]"
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def spoiled_json(value: Any, rng: Random) -> bytes:
    """One to three values replaced, dropped or doubled; now and then the whole text is torn."""
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        value = _spoiled(value, rng)
    body = written(value)
    return _torn(body, rng) if rng.random() < 0.15 else body


def _spoiled(value: Any, rng: Random) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.9:
        return _spoiled_object(dict(value), rng)
    if isinstance(value, list) and value and rng.random() < 0.7:
        place = rng.randrange(len(value))
        return [*value[:place], _spoiled(value[place], rng), *value[place + 1 :]]
    return _in_place_of(value, rng)


def _spoiled_object(value: dict[Any, Any], rng: Random) -> dict[Any, Any]:
    name = rng.choice(list(value))
    how = rng.random()
    if how < 0.1:
        del value[name]
    elif how < 0.15:
        value[Raw(written(name) + b" ")] = value[name]  # the same name twice
    elif how < 0.2:
        value[rng.choice(("no_such_field", "\0", "__class__", "x" * 5000))] = 1
    else:
        value[name] = _spoiled(value[name], rng)
    return value


def _in_place_of(value: Any, rng: Random) -> Any:
    how = rng.random()
    if how < 0.1:
        return [value]
    if how < 0.2:
        return {"a": value}
    if how < 0.3:
        return str(value)
    if how < 0.4 and isinstance(value, int | float):
        return rng.choice((-value, value * 10**9, value + 0.5, value * 10**300))
    return Raw(rng.choice(JSON))


def _torn(body: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(body) + 1)
    return rng.choice(
        (
            body[:at],
            body + body,
            b"\xef\xbb\xbf" + body,
            body.decode("utf-8", "replace").encode("utf-16"),
            body[:at] + rng.randbytes(4) + body[at:],
            body.replace(b'"', b"'"),
            rng.choice(JSON),
        )
    )


def encoded_form(form: Mapping[str, str]) -> bytes:
    """Fields as a browser sends them."""
    return urlencode(form).encode()


def spoiled_form(form: Mapping[str, str], rng: Random) -> bytes:
    """The same, with bytes in one of them that nobody encoded."""
    name = rng.choice(list(form))
    body = encoded_form({key: text for key, text in form.items() if key != name})
    if rng.random() < 0.2:
        body += b"&f=" * 2000
    return body + b"&" + name.encode() + b"=" + rng.choice(TEXTS)


def multipart(parts: Sequence[Part], boundary: bytes = b"b") -> tuple[bytes, bytes]:
    """A body and its content type."""
    body = b"".join(_part(part, boundary) for part in parts) + b"--%s--\r\n" % boundary
    return body, b"multipart/form-data; boundary=" + boundary


def spoiled_parts(parts: Sequence[Part], rng: Random) -> tuple[bytes, bytes]:
    """The same, with one part changed, or not ending, or under another boundary."""
    boundary = rng.choice((b"b", b"b", b"b", b"-" * 70, b"a'()+_,-./:=?"))
    body, kind = multipart(_changed(list(parts), rng), boundary)
    how = rng.random()
    if how < 0.1:
        kind = b"multipart/form-data" + rng.choice((b"", b"; boundary=", b"; boundary=\xff"))
    elif how < 0.2:
        body = body.removesuffix(b"--%s--\r\n" % boundary)
    elif how < 0.35:
        body = _torn(body, rng)
    return body, kind


def _changed(parts: list[Part], rng: Random) -> list[Part]:
    place, how = rng.randrange(len(parts)), rng.randrange(8)
    part = parts.pop(place)
    if how == 0:
        return parts
    if how == 1:
        return [*parts, part, part]
    if how == 2:
        return [*parts, part, *[Part(b"p%d" % number, b"") for number in range(1500)]]
    if how == 3:
        part = replace(part, name=rng.choice(_NAMES))
    elif how == 4:
        part = replace(part, filename=rng.choice(_FILES) if part.filename else b"a.png")
    else:
        part = replace(part, data=rng.choice(_BOMBS if part.filename else TEXTS))
    return [*parts, part]


def _part(part: Part, boundary: bytes) -> bytes:
    name = b'; name="%s"' % part.name if part.name is not None else b""
    name += b'; filename="%s"' % part.filename if part.filename is not None else b""
    head = b"Content-Disposition: form-data" + name
    return b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary, head, part.data)
