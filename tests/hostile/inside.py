"""Requests put to the app itself, without a socket: thousands in seconds."""

from time import perf_counter

from flask import Flask
from werkzeug.test import run_wsgi_app

from tests.hostile.asked import Asked
from tests.hostile.tally import Answer


def ask_inside(app: Flask, asked: Asked) -> Answer:
    """What the app answers. Raises what it lets out: nothing, ever."""
    start = perf_counter()
    chunks, status, headers = run_wsgi_app(app.wsgi_app, asked.environ(), buffered=True)
    body = b"".join(chunks)
    return Answer(
        int(status.split()[0]),
        body,
        perf_counter() - start,
        "Retry-After" in headers,
        tuple(headers.items()),
    )
