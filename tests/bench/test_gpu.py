"""`bench.gpu` on tiny models of the real classes; its figures come from a GPU, its ways do not."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import torch
from torch import nn

from bench.gpu.__main__ import main
from bench.gpu.case import CASES, Case, tiny
from bench.gpu.clock import Budget, Clock
from bench.gpu.floor import forward_flops, peak_tflops
from bench.gpu.graph import GraphedForward
from bench.gpu.ladder import Ladder, Rung
from bench.gpu.setting import FUSED_QKV, Setting, Undo
from bench.gpu.subject import Subject
from bench.gpu.subjects import subject

CPU, META = torch.device("cpu"), torch.device("meta")
FAMILIES = [CASES[0], CASES[1], CASES[3]]


@pytest.fixture(scope="module")
def unet() -> Iterator[Subject]:
    with torch.no_grad():
        yield subject(tiny(CASES[0]), CPU)


@pytest.mark.filterwarnings("ignore:Dynamo detected a call:UserWarning")
def test_every_piece_runs(capsys: pytest.CaptureFixture[str]):
    cases = main(["--tiny", "--only", "sd15,wan,scaling"])["cases"]
    for name in ("sd15", "wan"):
        rungs = cases[name]["denoiser_rungs"] + cases[name]["vae_rungs"]
        assert [rung["note"] for rung in rungs] == [""] * len(rungs)
        assert all(rung["forward_s"] > 0 for rung in rungs)
        assert cases[name]["latents"]["vs_stock"] < 0.05
    assert [row["rows"] for row in cases["scaling"]["rows"]] == [1]
    assert all(row["fast_s"] > 0 for row in cases["scaling"]["rows"])
    assert "tiny Wan 2.1 1.3B, 64 x 64, 5 frames, 2 steps" in capsys.readouterr().out


@pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case.name)
def test_the_denoiser_is_called_as_the_pipeline_calls_it(case: Case):
    """Else a compiled program would be made for our calls and another for the pipeline's."""
    job, calls = subject(tiny(case), CPU), []

    def record(module: nn.Module, positional: Any, named: Any) -> None:
        calls.append(_shape((positional, named)))

    job.denoiser.register_forward_pre_hook(record, with_kwargs=True)
    with torch.no_grad():
        job.denoise(job.encode(), steps=2)
    assert calls[0] == _shape(job.inputs(job.case.rows))
    assert len(calls) == job.case.forwards


@pytest.mark.parametrize(
    ("case", "parameters"),
    [(CASES[0], 859_520_964), (CASES[1], 2_567_463_684), (CASES[3], 1_418_996_800)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_true_sizes(case: Case, parameters: int):
    """The published parameter counts."""
    job = subject(case, META)
    assert sum(parameter.numel() for parameter in job.denoiser.parameters()) == parameters


def test_operations_are_counted_right():
    """Wan's forward by hand: attention over all tokens, and the matrices of 30 blocks."""
    job = subject(CASES[3], META)
    tokens, text, width, inner = 21 * 30 * 52, 512, 1536, 8960
    attention = 4 * tokens * (tokens + text) * width
    matrices = 2 * width * (6 * tokens * width + 2 * text * width + 2 * tokens * inner)
    assert forward_flops(job, rows=1) == pytest.approx(30 * (attention + matrices), rel=0.005)


def test_the_longest_name_of_a_device_wins():
    assert peak_tflops("NVIDIA H100 PCIe", measured=1.0) == 756.0
    assert peak_tflops("NVIDIA H200", measured=1.0) == 989.4
    assert peak_tflops("something new", measured=3.0) == 3.0


def test_a_setting_that_changes_the_maths_is_refused(unet: Subject):
    before = unet.pipe.unet.conv_out.weight.clone()
    rungs = climb(unet, Setting("louder", louder))
    assert (rungs[1].is_kept, rungs[1].note) == (False, "not the same maths")
    assert torch.equal(unet.pipe.unet.conv_out.weight, before)


def test_a_setting_that_fails_does_not_stop_the_climb(unet: Subject):
    def broken(module: nn.Module) -> Undo:
        raise RuntimeError("not on this device\nand a long story")

    rungs = climb(unet, Setting("broken", broken), FUSED_QKV)
    assert rungs[1].note == "RuntimeError: not on this device"
    assert rungs[2].forward_s is not None


def test_nothing_is_tried_without_time(unet: Subject):
    rungs = climb(unet, FUSED_QKV, limit_s=0)
    assert rungs[1].note == "no time left"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_replayed_graph_reads_new_values():
    device = torch.device("cuda")
    layer = nn.Linear(8, 8, device=device)
    graphed = GraphedForward(layer.forward, device)
    with torch.no_grad():
        first, second = (torch.randn(4, 8, device=device) for _ in range(2))
        before, after = graphed(first), graphed(second)
        assert torch.equal(before, layer(first))
        assert torch.equal(after, layer(second))


def climb(job: Subject, *settings: Setting, limit_s: float = 60.0) -> list[Rung]:
    positional, named = job.inputs(2)

    def call(module: nn.Module) -> torch.Tensor:
        dtype = next(module.parameters()).dtype
        output: torch.Tensor = module(
            positional[0].to(dtype),
            positional[1],
            **named | {"encoder_hidden_states": named["encoder_hidden_states"].to(dtype)},
        )[0]
        return output

    with torch.no_grad(), ExitStack() as kept:
        ladder = Ladder(job.denoiser, call, Clock(CPU, 0.0), is_graphed=True)
        ladder.climb(settings, kept, Budget(limit_s))
    return ladder.rungs


def louder(module: Any) -> Undo:
    before = module.conv_out.weight.data
    module.conv_out.weight.data = before * 1.5

    def undo() -> None:
        module.conv_out.weight.data = before

    return undo


def _shape(value: Any) -> Any:
    """The same tree with each tensor's shape and dtype in its place."""
    if isinstance(value, torch.Tensor):
        return (tuple(value.shape), value.dtype)
    if isinstance(value, dict):
        return {name: _shape(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_shape(item) for item in value)
    return value
