"""The farm's profile for real: one model's stages in three processes and two precisions."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from model.check import looks_like
from myriad.client import Client
from myriad.pool import PROFILES
from tests.e2e.conftest import LiveFarm, is_ready, start_farm, stop_farm
from tests.e2e.drawing import draw, pictures
from tests.processes import wait_until

WISHES = {
    "a large red circle on a blue background": {"shape": "circle", "colour": "red"},
    "绿色背景上的大黄色星星": {"shape": "star", "colour": "yellow"},
}


@pytest.fixture(scope="module")
def parted_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveFarm]:
    home = tmp_path_factory.mktemp("parted") / "home"
    farm = start_farm(home, pools=str(PROFILES / "farm.toml"), device="cpu")
    try:
        wait_until(lambda: is_ready(farm), within_s=180, what=lambda: farm.output)
        yield farm
    finally:
        stop_farm(farm)


def test_text_gpu_and_pixels_draw_a_picture_together(parted_farm: LiveFarm) -> None:
    with Client(parted_farm.url) as client:
        jobs = [draw(client, prompt, num_images=4, seed=5) for prompt in WISHES]
        drawn = [pictures(client, job) for job in jobs]
    for wanted, images in zip(WISHES.values(), drawn, strict=True):
        assert sum(looks_like(image, **wanted) for image in images) >= 3
    query = "SELECT DISTINCT stage, pool FROM stage_runs"
    with closing(sqlite3.connect(parted_farm.home / "myriad.db")) as database:
        done = set(database.execute(query))
    assert done == {("encode", "text"), ("denoise", "gpu"), ("decode", "pixels")}
