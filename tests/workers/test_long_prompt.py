"""Prompts beyond one window: each window is the stock encoder's own, and lengths share batches."""

from typing import Any

import torch

from myriad.job import Stage
from tests.workers.stage import FakeControl, MakeLease, MakeRunner
from tests.workers.test_modes import Stock
from tests.workers.test_split import call_stock
from tests.workers.tiny import MAX_TOKENS
from workers import blob
from workers.conditions import Conditions

BODY = MAX_TOKENS - 2
FIRST, SECOND = "a" * BODY, "bcd"


def embeds(runner: Any, lease: MakeLease, family: str, **asked: Any) -> dict[str, torch.Tensor]:
    made = runner.encode(lease(family, **asked), {}, FakeControl())
    return dict(Conditions.load(made).embeds)


def test_windows_are_those_of_the_stock_encoder(
    open_runner: MakeRunner, lease: MakeLease, family: str
) -> None:
    runner = open_runner(Stage.ENCODE)
    both = embeds(runner, lease, family, prompt=FIRST + SECOND, negative_prompt="ugly")
    # A word that goes on in the next window has no end mark in the first.
    first, second = both["prompt_embeds"].chunk(2, 1)
    assert first.shape[1] == second.shape[1] == MAX_TOKENS
    assert torch.equal(second, embeds(runner, lease, family, prompt=SECOND)["prompt_embeds"])
    short, empty = both["negative_prompt_embeds"].chunk(2, 1)
    expected = embeds(runner, lease, family, negative_prompt="ugly")["negative_prompt_embeds"]
    assert torch.equal(short, expected)
    assert torch.equal(empty, embeds(runner, lease, family, prompt="")["prompt_embeds"])


def test_it_is_what_stock_draws_from_these_embeddings(
    open_runner: MakeRunner, lease: MakeLease, stock: Stock, family: str
) -> None:
    runner, job = open_runner(), lease(family, prompt=FIRST + SECOND)
    made = runner.encode(job, {}, FakeControl())
    latents = blob.load(runner.denoise(job, made, FakeControl()))["latents"]
    pipe = stock(family)
    expected = call_stock(pipe, job, "latent", **Conditions.load(made).embeds)
    assert torch.equal(latents, expected)
    assert not torch.equal(latents, call_stock(pipe, lease(family, prompt=FIRST), "latent"))
