"""Peers of the sender."""

import socket
from collections.abc import Iterator

import pytest

from tests.webhook.peers import Receiver, Resolver, Trap, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def trap() -> Iterator[Trap]:
    trap = Trap()
    yield trap
    trap.close()


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    fake = Resolver(["127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", fake.getaddrinfo)
    return fake
