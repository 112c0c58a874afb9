"""Rows are capped by the memory a real module's rows take, traced while it runs."""

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
    wait_until(lambda: policy._limits[SHAPE] is not None, what="the trace")


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
    limit = policy._limits[SHAPE]
    assert limit is not None
    free[0] = int((limit._memory.a_bytes + 5.5 * FIRST_K * limit._memory.b_bytes) / 0.85)
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
    limit = policy._limits[SHAPE]
    assert limit is not None
    assert limit.max_rows() == 10  # memory was short for a while only
    policy.close()


def test_an_unknown_shape_on_an_accelerator_runs_one_request_at_a_time() -> None:
    policy = LearnedRows(torch.device("cuda"), lambda: 2**40)
    for rows in (2, 4, 8, 16) * 4:
        policy.observe(SHAPE, rows, 1.0)
    assert policy.best_rows(SHAPE, 16, 2) == 2
    policy.close()
