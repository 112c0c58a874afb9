"""Rows are capped by the memory a real module's rows take, traced while it runs."""

from dataclasses import replace

import diffusers
import pytest
import torch

from tests.processes import wait_until
from workers.batching.policy import Pass
from workers.memory import learned
from workers.memory.learned import LearnedRows
from workers.memory.row_limit import FIRST_K

SHAPE = ("unet", 4, 16, 16)


@pytest.fixture
def about() -> Pass:
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=8,
    )
    arguments = {
        "sample": torch.zeros(2, 4, 16, 16),
        "timestep": torch.zeros(2),
        "encoder_hidden_states": torch.zeros(2, 7, 32),
        "return_dict": False,
    }
    return Pass(SHAPE, 2, unet, "forward", arguments)


def traced(policy: LearnedRows, about: Pass) -> None:
    with policy.watch(about):
        pass
    wait_until(lambda: knows(policy), what="the trace")


def knows(policy: LearnedRows) -> bool:
    limit = policy._limits.get(SHAPE)
    return limit is not None and limit.memory.b_bytes > 0


def test_rows_that_pay_are_capped_by_those_that_fit(
    about: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learned, "_WORTH_TRACING_BYTES", 0)
    free = [2**33]
    policy = LearnedRows(torch.device("cpu"), lambda: free[0])
    traced(policy, about)
    for rows in (2, 4, 8, 16) * 4:
        policy.observe(SHAPE, rows, 1.0)  # as much for any number: more rows always pay
    assert policy.best_rows(SHAPE, 16, 2) == 16
    memory = policy._limits[SHAPE].memory
    free[0] = int((memory.a_bytes + 5.5 * FIRST_K * memory.b_bytes) / 0.85)
    assert policy.best_rows(SHAPE, 16, 2) in (4, 5)
    policy.close()


def test_running_out_of_memory_halves_the_rows(about: Pass) -> None:
    policy = LearnedRows(torch.device("cpu"))
    for rows in (2, 4, 8, 16) * 4:
        policy.observe(SHAPE, rows, 1.0)
    policy.out_of_memory(SHAPE, 16)
    assert policy.best_rows(SHAPE, 16, 2) == 8
    for _ in range(200):
        policy.observe(SHAPE, 8, 0.5)
    # Memory was short for a while only.
    assert policy._limits[SHAPE].max_rows() == 10
    policy.close()


def test_an_unknown_shape_on_an_accelerator_runs_one_request_at_a_time() -> None:
    policy = LearnedRows(torch.device("cuda"), lambda: 2**40)
    for rows in (2, 4, 8, 16) * 4:
        policy.observe(SHAPE, rows, 1.0)
    assert policy.best_rows(SHAPE, 16, 2) == 2
    policy.close()


def test_a_shape_that_ran_out_of_memory_before_it_was_traced_keeps_both(
    about: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learned, "_WORTH_TRACING_BYTES", 0)
    policy = LearnedRows(torch.device("cpu"), lambda: 2**33)
    policy.out_of_memory(SHAPE, 8)
    traced(policy, about)
    assert policy.most_rows(SHAPE) == 4
    policy.close()


def test_what_cannot_be_traced_for_any_reason_is_bounded_by_running_out_of_memory(
    about: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learned, "_WORTH_TRACING_BYTES", 0)
    policy = LearnedRows(torch.device("cpu"))
    with policy.watch(replace(about, module=torch.nn.Linear(2, 2))):  # it has no config
        pass
    wait_until(lambda: SHAPE in policy._limits, what="the trace")
    assert policy.best_rows(SHAPE, 2, 2) == 2
    policy.close()
