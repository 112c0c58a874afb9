"""A whole front end over a real database, folder and Valkey; no worker is needed."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from myriad.db.migrate import upgrade
from myriad.embedded import EmbeddedValkey
from myriad.farm import Farm, open_farm
from myriad.job import Stage
from myriad.settings import Settings
from tests.web.server import free_port, serve
from web import create_app
from web.app import FrontEnd
from web.farm import close_farm, current_farm

CATALOG = """
[[model]]
name = "tiny"
family = "sd"
source = "weights"
title = "Tiny"
licence = "Apache-2.0"
languages = ["en", "zh"]
[model.defaults]
width = 64
height = 64
num_inference_steps = 4
[model.limits]
max_size = 128
max_pixels = 16384
max_steps = 50
max_images = 4

[[model]]
name = "english"
family = "sd"
source = "weights"
title = "English reader"
languages = ["en"]

[[model]]
name = "film"
family = "wan"
source = "weights"
title = "Film"
languages = ["en", "zh"]
[model.defaults]
width = 64
height = 64
num_inference_steps = 4
fps = 8
[model.limits]
max_size = 128
max_frames = 17
frame_multiple = 4

[[model]]
name = "large"
family = "sdxl"
source = "weights"
title = "Large"
languages = ["en", "zh"]
[model.defaults]
width = 64
height = 64
num_inference_steps = 4

[[model]]
name = "polish"
family = "sdxl-refiner"
source = "weights"
title = "Polish"
refiner_of = ["large"]

[[lora]]
name = "ink"
source = "weights"
models = ["tiny", "large"]
title = "Ink"
trigger = "in ink"

[[lora]]
name = "gold"
source = "weights"
models = ["tiny"]
title = "Gold"

[[controlnet]]
name = "edges"
source = "weights"
models = ["tiny"]
title = "Edges"
kind = "canny"

[[controlnet]]
name = "depth"
source = "weights"
models = ["tiny"]
title = "Depth"
kind = "depth"
"""


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with every table and no row, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "myriad.db"
    upgrade(f"sqlite:///{path}")
    return path


def make_home(folder: Path, database: Path) -> Path:
    """A farm's folder: catalogue, (empty) weights, migrated database."""
    (folder / "weights").mkdir()
    (folder / "weights" / "config.json").write_text("{}")
    (folder / "catalog.toml").write_text(CATALOG)
    shutil.copy(database, folder / "myriad.db")
    return folder


@pytest.fixture
def home(tmp_path: Path, _migrated: Path) -> Path:
    return make_home(tmp_path, _migrated)


@pytest.fixture(scope="module")
def module_app(
    tmp_path_factory: pytest.TempPathFactory, _migrated: Path, valkey: EmbeddedValkey
) -> Iterator[FrontEnd]:
    """One front end for a module whose tests change nothing, or do not mind each other."""
    home = make_home(tmp_path_factory.mktemp("home"), _migrated)
    app = create_app(Settings(home=home, catalog=home / "catalog.toml", redis_url=valkey.url))
    yield app
    close_farm(app)


OpenApp = Callable[..., FrontEnd]


@pytest.fixture
def open_app(home: Path, redis_url: str) -> Iterator[OpenApp]:
    """Makes front ends, with settings of their own; all are closed at the end."""
    opened: list[FrontEnd] = []

    def make(**values: object) -> FrontEnd:
        base = {"home": home, "catalog": home / "catalog.toml", "redis_url": redis_url}
        opened.append(create_app(Settings(**{**base, **values})))
        return opened[-1]

    yield make
    for app in opened:
        close_farm(app)


def write_pools(folder: Path, **pools: tuple[list[str], Iterable[Stage]]) -> Path:
    """A `pools.toml` of these pools: the models and stages of each."""
    path = folder / "pools.toml"
    entries = [
        f"[[pool]]\nname = '{name}'\nmodels = {models}\nstages = {[str(each) for each in stages]}\n"
        for name, (models, stages) in pools.items()
    ]
    path.write_text("".join(entries))
    return path


@pytest.fixture
def app(open_app: OpenApp) -> FrontEnd:
    return open_app()


@pytest.fixture
def client(app: FrontEnd) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def farm(app: FrontEnd) -> Farm:
    return farm_of(app)


def farm_of(app: FrontEnd) -> Farm:
    """The farm behind a front end."""
    with app.app_context():
        return current_farm()


@dataclass(frozen=True)
class Site:
    """A web process that answers at `url`, and the same farm opened by the test."""

    url: str
    farm: Farm


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, _migrated: Path, valkey: EmbeddedValkey
) -> Iterator[Site]:
    """A real gunicorn, one for a module."""
    home = make_home(tmp_path_factory.mktemp("site"), _migrated)
    settings = Settings(
        home=home, catalog=home / "catalog.toml", redis_url=valkey.url, port=free_port()
    )
    farm = open_farm(settings)
    with serve(settings, tmp_path_factory.mktemp("logs")) as url:
        yield Site(url, farm)
    farm.close()
