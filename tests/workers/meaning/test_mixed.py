"""Sixty mixed requests at once are as right as one after another, and the same pictures."""

import hashlib
import io
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from myriad.catalog import Catalog, load_catalog
from myriad.job import Stage
from myriad.pool import Pool
from myriad.resolve import resolve
from myriad.scheduler import DIFFUSION_SCHEDULERS
from tests.workers.meaning.sixty import sixty
from tests.workers.meaning.wish import Wish
from tests.workers.stage import FakeControl, make_lease
from workers import blob
from workers.runner import Runner

pytestmark = pytest.mark.timeout(300)
# Of 60; the models' own error is some six. One that ignored its prompts would be right in none.
LEAST_RIGHT = 45
SLACK = 1


@dataclass(frozen=True)
class Drawn:
    """What became of a wish."""

    latents: torch.Tensor
    data: bytes
    is_right: bool

    @property
    def image(self) -> Image.Image:
        return Image.open(io.BytesIO(self.data))


@dataclass(frozen=True)
class Outcome:
    """All of them, in order, and the forward passes they took."""

    drawn: list[Drawn]
    forwards: int

    @property
    def right(self) -> int:
        return sum(each.is_right for each in self.drawn)


@contextmanager
def worker(catalog: Catalog, **pool: int) -> Iterator[Runner]:
    """A worker as the farm has it, all stages and all defaults."""
    runner = Runner(catalog, Pool(name="meaning", stages=tuple(Stage), **pool))
    yield runner
    runner.close()


def fulfil(runner: Runner, catalog: Catalog, wish: Wish) -> Drawn:
    """One job, stage by stage, as a slot of the worker runs it."""
    params = resolve(wish.asked, catalog[wish.model], catalog)
    lease, control = make_lease(wish.model, params), FakeControl()
    embeds = runner.encode(lease, wish.inputs, control)
    latents = runner.denoise(lease, embeds, control)
    [picture] = runner.decode(lease, latents, control)
    is_right = wish.judge(Image.open(io.BytesIO(picture.data)))
    return Drawn(blob.load(latents)["latents"], picture.data, is_right)


@pytest.fixture(scope="module")
def wishes() -> list[Wish]:
    return sixty()


@pytest.fixture(scope="module")
def at_once(wishes: list[Wish]) -> Outcome:
    catalog = load_catalog()
    with worker(catalog) as runner, ThreadPoolExecutor(len(wishes)) as slots:
        drawn = list(slots.map(partial(fulfil, runner, catalog), wishes))
        return Outcome(drawn, runner.forwards)


@pytest.fixture(scope="module")
def alone(wishes: list[Wish]) -> Outcome:
    """One after another in another order, and never two rows of two requests together."""
    catalog, order = load_catalog(), list(range(len(wishes)))
    random.Random(0).shuffle(order)
    with worker(catalog, max_rows=1) as runner:
        drawn = {place: fulfil(runner, catalog, wishes[place]) for place in order}
        return Outcome([drawn[place] for place in sorted(drawn)], runner.forwards)


def test_there_are_sixty_of_many_kinds(wishes: list[Wish]) -> None:
    assert len(wishes) == 60
    assert len({wish.kind for wish in wishes}) == 8
    assert len({wish.asked["prompt"] for wish in wishes}) == 60
    assert len({str(wish.asked) for wish in wishes}) == 60


def test_at_once_as_many_are_right_as_alone(at_once: Outcome, alone: Outcome) -> None:
    assert alone.right >= LEAST_RIGHT
    assert at_once.right >= alone.right - SLACK
    assert at_once.forwards < alone.forwards


def test_no_scheduler_spoils_the_pictures(wishes: list[Wish], at_once: Outcome) -> None:
    pairs = zip(wishes, at_once.drawn, strict=True)
    right = {wish.asked["scheduler"] for wish, drawn in pairs if drawn.is_right}
    assert right == set(DIFFUSION_SCHEDULERS)


def test_at_once_each_is_what_it_is_alone(at_once: Outcome, alone: Outcome) -> None:
    for one, other in zip(at_once.drawn, alone.drawn, strict=True):
        scale = other.latents.abs().max()
        assert (one.latents - other.latents).abs().max() < 1e-3 * scale
        levels = np.abs(np.asarray(one.image, np.int16) - np.asarray(other.image, np.int16))
        assert levels.max() <= 1


def test_reproducible_ones_are_the_same_to_the_byte(
    wishes: list[Wish], at_once: Outcome, alone: Outcome
) -> None:
    pairs = zip(wishes, at_once.drawn, alone.drawn, strict=True)
    promised = [(one, other) for wish, one, other in pairs if wish.asked["reproducible"]]
    assert len(promised) == 10
    for one, other in promised:
        assert hashlib.sha256(one.data).digest() == hashlib.sha256(other.data).digest()
        assert torch.equal(one.latents, other.latents)
