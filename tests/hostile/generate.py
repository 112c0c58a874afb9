"""An endless line of malformed requests, all that a seed and the app's own rules lead to."""

import re
from collections.abc import Iterator, Sequence
from random import Random
from urllib.parse import quote, quote_from_bytes

from werkzeug.routing import Map

from tests.hostile.asked import Asked, Header
from tests.hostile.mutate import (
    encoded_form,
    multipart,
    spoiled_form,
    spoiled_json,
    spoiled_parts,
    written,
)
from tests.hostile.nasty import HEADERS, HOSTS, METHODS, QUERY_NAMES, TEXTS
from tests.hostile.sample import Known, Sample, path_values, sample_of

_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")
_CHANGING = ("POST", "PUT", "PATCH")
_NOT_ASKED = ("HEAD", "OPTIONS")

Route = tuple[str, str]
"""A method and a rule of the app."""


def routes_of(rules: Map) -> list[Route]:
    """Every one there is: a new route is attacked from its first day on."""
    return sorted(
        (method, rule.rule)
        for rule in rules.iter_rules()
        for method in rule.methods or ()
        if method not in _NOT_ASKED
    )


def hostile(routes: Sequence[Route], known: Known, rng: Random) -> Iterator[Asked]:
    """Round after round over all routes; those that read a body come three times as often."""
    often = [route for route in routes for _ in range(3 if route[0] in _CHANGING else 1)]
    while True:
        rng.shuffle(often)
        for method, rule in often:
            yield _request(method, rule, known, rng)


def valid(route: Route, known: Known) -> Asked:
    """The route's sample as it is: this one must be taken."""
    method, rule = route
    headers, body = _body(sample_of(method, rule), None)
    return _asked(route, _target(rule, known, None), (*headers, *_length(body)), body)


def _request(method: str, rule: str, known: Known, rng: Random) -> Asked:
    headers, body = [], b""
    if method in _CHANGING or rng.random() < 0.05:
        headers, body = _body(sample_of(method, rule), rng)
    headers += [rng.choice(HEADERS) for _ in range(rng.choice((0, 0, 1, 3)))]
    verb = rng.choice(METHODS) if rng.random() < 0.05 else method.encode()
    kept = Known() if method == "DELETE" else known  # the others want it too
    target = _target(rule, kept, rng) + _query(rng)
    host = rng.choice(HOSTS) if rng.random() < 0.03 else b"127.0.0.1"
    return _asked((method, rule), target, (*headers, *_length(body)), body, verb, host)


def _asked(
    route: Route,
    target: bytes,
    headers: Sequence[Header],
    body: bytes,
    verb: bytes = b"",
    host: bytes = b"127.0.0.1",
) -> Asked:
    method, rule = route
    return Asked(rule, verb or method.encode(), target, ((b"Host", host), *headers), body)


def _target(rule: str, known: Known, rng: Random | None) -> bytes:
    """The rule's path, its variables filled with what exists or with junk."""
    values = path_values(known)

    def fill(match: re.Match[str]) -> str:
        if rng is None or rng.random() < 0.75:
            return quote(values.get(match[1], "x"), safe="/")
        return quote_from_bytes(rng.choice(TEXTS)[:3000], safe="")

    path = _VARIABLE.sub(fill, rule).encode()
    if rng is not None and rng.random() < 0.05:
        path += rng.choice(
            (b"/", b"//", b"/..", b"/%2e%2e/", b";a=b", b"%", b"%zz", b"\xff", b"%00")
        )
    return path


def _query(rng: Random) -> bytes:
    if rng.random() < 0.6:
        return b""
    pairs = [
        b"%s=%s" % (rng.choice(QUERY_NAMES), quote_from_bytes(rng.choice(TEXTS)[:2000]).encode())
        for _ in range(rng.choice((1, 1, 2, 5)))
    ]
    return b"?" + rng.choice((b"&", b"&&", b";")).join(pairs)


def _body(sample: Sample, rng: Random | None) -> tuple[list[Header], bytes]:
    """Its content type and bytes; without `rng` as it is."""
    if sample.parts:
        body, kind = spoiled_parts(sample.parts, rng) if rng else multipart(sample.parts)
    elif sample.form is not None:
        kind = b"application/x-www-form-urlencoded"
        body = spoiled_form(sample.form, rng) if rng else encoded_form(sample.form)
    else:
        kind = b"application/json"
        body = spoiled_json(sample.json, rng) if rng else written(sample.json)
    return [(b"Content-Type", kind)], body


def _length(body: bytes) -> list[Header]:
    return [(b"Content-Length", b"%d" % len(body))] if body else []
