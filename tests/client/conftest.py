"""The farm of the command line's tests, and a way to it that loses things."""

from collections.abc import Iterator

import pytest

from myriad.client import Client
from tests.cli.conftest import farm_home, farm_url
from tests.client.lossy import Lossy, losing

__all__ = ["farm_home", "farm_url"]


@pytest.fixture
def client(farm_url: str) -> Iterator[Client]:
    with Client(farm_url) as connected:
        yield connected


@pytest.fixture
def lossy(farm_url: str) -> Iterator[Lossy]:
    """A way to the farm that loses things."""
    with losing(farm_url) as way:
        yield way
