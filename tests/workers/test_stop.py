"""A stage stops within one step of being told, and whatever goes wrong has a name."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
import torch
from safetensors.torch import load_file, save_file

from myriad.catalog import Catalog
from myriad.errors import (
    ArtifactMissing,
    LeaseLost,
    ModelUnavailable,
    NonFiniteOutput,
    OutOfMemory,
    PromptTooLong,
    ShuttingDown,
    StageFailed,
)
from myriad.job import Stage
from tests.workers.stage import FakeControl, MakeLease, MakeRunner
from tests.workers.tiny import MAX_TOKENS
from workers.error import stage_errors
from workers.families.long_prompt import MAX_WINDOWS
from workers.runner import Runner


def count_denoiser_calls(runner: Runner, model: str) -> list[int]:
    """A list that grows by one with each forward pass of the loaded UNet."""
    runner.preload(model)
    [loaded] = runner._library.held
    calls: list[int] = []
    loaded.pipe.unet.register_forward_hook(lambda *_: calls.append(1))
    return calls


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_denoising_stops_within_one_step_and_the_next_job_is_whole(
    open_runner: MakeRunner, lease: MakeLease, family: str, stop_after: int
) -> None:
    runner = open_runner(Stage.ENCODE, Stage.DENOISE)
    job = lease(family, num_inference_steps=6)
    embeds = runner.encode(job, {}, FakeControl())
    whole = runner.denoise(job, embeds, FakeControl())
    calls = count_denoiser_calls(runner, family)
    with pytest.raises(LeaseLost):
        runner.denoise(job, embeds, FakeControl(stop_after))
    assert len(calls) == stop_after
    assert runner.denoise(job, embeds, FakeControl()) == whole


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_that_may_not_begin_does_nothing(
    open_runner: MakeRunner, lease: MakeLease, stage: Stage
) -> None:
    runner, job, control = open_runner(stage), lease("sd"), FakeControl(stop_after=0)
    calls: dict[Stage, Callable[[], object]] = {
        Stage.ENCODE: lambda: runner.encode(job, {}, control),
        Stage.DENOISE: lambda: runner.denoise(job, b"", control),
        Stage.DECODE: lambda: runner.decode(job, b"", control),
    }
    with pytest.raises(LeaseLost):
        calls[stage]()
    assert runner.held_models == ()


def test_decoding_stops_between_images(open_runner: MakeRunner, lease: MakeLease) -> None:
    runner, job, control = open_runner(*Stage), lease("sd", num_images=3), FakeControl(1)
    latents = runner.denoise(job, runner.encode(job, {}, FakeControl()), FakeControl())
    with pytest.raises(LeaseLost):
        runner.decode(job, latents, control)
    assert control.seen == [(1, 3)]


def test_decoding_reports_each_image(open_runner: MakeRunner, lease: MakeLease) -> None:
    runner, job, control = open_runner(*Stage), lease("sd", num_images=2), FakeControl()
    latents = runner.denoise(job, runner.encode(job, {}, FakeControl()), FakeControl())
    runner.decode(job, latents, control)
    assert control.seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_prompts_beyond_every_window_are_refused_not_cut(
    open_runner: MakeRunner, lease: MakeLease, family: str, field: str
) -> None:
    runner = open_runner(Stage.ENCODE)
    fits = "x" * (MAX_TOKENS - 2) * MAX_WINDOWS
    assert runner.encode(lease(family, **{field: fits}), {}, FakeControl())
    with pytest.raises(PromptTooLong, match=f"than {len(fits)} tokens") as found:
        runner.encode(lease(family, **{field: fits + "x"}), {}, FakeControl())
    assert found.value.field == field


def test_a_negative_prompt_that_is_not_read_may_be_long(
    open_runner: MakeRunner, lease: MakeLease
) -> None:
    job = lease("sd", negative_prompt="x" * 100, guidance_scale=1.0)
    assert open_runner(Stage.ENCODE).encode(job, {}, FakeControl())


def poison(catalog: Catalog, folder: Path, part: str, name: str) -> Catalog:
    """The sd model with one weight that is not a number."""
    copytree(catalog["sd"].source, folder)
    [file] = (folder / part).glob("*.safetensors")
    tensors = load_file(file)
    tensors[name][:] = torch.nan
    save_file(tensors, file, metadata={"format": "pt"})
    return Catalog((catalog["sd"].model_copy(update={"source": str(folder)}),))


def test_latents_that_are_not_finite_fail_the_stage(
    catalog: Catalog, tmp_path: Path, open_runner: MakeRunner, lease: MakeLease
) -> None:
    models = poison(catalog, tmp_path / "bad", "unet", "conv_out.bias")
    runner, job = open_runner(Stage.ENCODE, Stage.DENOISE, models=models), lease("sd")
    embeds = runner.encode(job, {}, FakeControl())
    with pytest.raises(NonFiniteOutput, match="latents"):
        runner.denoise(job, embeds, FakeControl())


def test_pixels_that_are_not_finite_fail_the_stage(
    catalog: Catalog, tmp_path: Path, open_runner: MakeRunner, lease: MakeLease
) -> None:
    models = poison(catalog, tmp_path / "bad", "vae", "decoder.conv_out.bias")
    runner, job, control = open_runner(*Stage, models=models), lease("sd"), FakeControl()
    latents = runner.denoise(job, runner.encode(job, {}, control), control)
    with pytest.raises(NonFiniteOutput, match="pixels"):
        runner.decode(job, latents, control)


def test_a_damaged_input_asks_for_a_rewind(open_runner: MakeRunner, lease: MakeLease) -> None:
    runner, job = open_runner(*Stage), lease("sd")
    embeds = runner.encode(job, {}, FakeControl())
    with pytest.raises(ArtifactMissing):
        runner.denoise(job, embeds[:-1], FakeControl())
    with pytest.raises(ArtifactMissing):
        runner.decode(job, b"", FakeControl())


def test_running_out_of_memory_is_named() -> None:
    with pytest.raises(OutOfMemory), stage_errors():
        torch.empty(2**46)
    with pytest.raises(OutOfMemory), stage_errors():
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_any_other_exception_gets_one_short_line() -> None:
    with pytest.raises(StageFailed) as caught, stage_errors():
        raise KeyError("x" * 500 + "\nTraceback (most recent call last)")
    assert caught.value.message.startswith("KeyError: ")
    assert len(caught.value.message) <= 200
    assert "\n" not in caught.value.message
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_model_that_left_the_catalogue_is_named(
    catalog: Catalog, open_runner: MakeRunner, lease: MakeLease
) -> None:
    runner = open_runner(Stage.ENCODE, models=Catalog((catalog["sd"],)))
    with pytest.raises(ModelUnavailable, match="sdxl is not in this worker's catalogue"):
        runner.encode(lease("sdxl"), {}, FakeControl())


def test_a_closed_runner_gives_jobs_back(open_runner: MakeRunner, lease: MakeLease) -> None:
    runner = open_runner(Stage.ENCODE)
    runner.close()
    with pytest.raises(ShuttingDown):
        runner.encode(lease("sd"), {}, FakeControl())
