"""One app and one web process for all attacks."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from myriad.embedded import EmbeddedValkey
from myriad.settings import Settings
from tests.hostile.inside import ask_inside
from tests.hostile.place import LIMITS, Place, known_on, served
from tests.hostile.sample import Known
from tests.web.conftest import make_home
from web import create_app
from web.app import FrontEnd
from web.farm import close_farm


@pytest.fixture(scope="session")
def settings(
    tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path, valkey: EmbeddedValkey
) -> Settings:
    """Of the farm that is attacked."""
    home = make_home(tmp_path_factory.mktemp("hostile"), _migrated_sqlite)
    return Settings(home=home, catalog=home / "catalog.toml", redis_url=valkey.url, **LIMITS)


@pytest.fixture(scope="session")
def app(settings: Settings) -> Iterator[FrontEnd]:
    app = create_app(settings)
    yield app
    close_farm(app)


@pytest.fixture(scope="session")
def known(app: FrontEnd, settings: Settings) -> Known:
    """A job and a picture that exist."""
    return known_on(partial(ask_inside, app), settings)


@pytest.fixture(scope="session")
def place(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A real web process over the same farm."""
    with served(settings.home, settings.redis_url, tmp_path_factory.mktemp("logs")) as place:
        yield place
