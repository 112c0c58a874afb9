"""What a worker counts of itself, from real modules."""

from concurrent.futures import ThreadPoolExecutor

import torch

from tests.workers.batching.test_sharing import denoise_together
from tests.workers.stage import FakeControl, MakeLease, MakeRunner
from tests.workers.test_ladder import latents, scarce
from workers.figures import Figures
from workers.runner import Runner


def unet(runner: Runner) -> tuple[dict[int, int], int]:
    """Passes by rows, and requests, of the denoiser."""
    batching = runner.measured().batching["UNet2DConditionModel"]
    return dict(batching.passes), batching.requests


def test_rows_and_requests_of_shared_passes(lease: MakeLease, open_runner: MakeRunner) -> None:
    runner = open_runner(max_rows=64)
    jobs = [lease("sd", prompt="a cat", seed=seed, num_inference_steps=3) for seed in range(4)]
    denoise_together(runner, jobs[:1])
    alone, requests = unet(runner)
    ((rows, passes),) = alone.items()
    assert (passes, requests) == (3, 3)
    denoise_together(runner, jobs)
    assert unet(runner) == ({rows: 3, 4 * rows: 3}, 3 + 4 * 3)
    assert sum(unet(runner)[0].values()) <= runner.forwards


def test_what_was_done_when_memory_ran_out(lease: MakeLease, open_runner: MakeRunner) -> None:
    runner = open_runner()
    job, made = latents(runner, lease)
    denoised = runner.denoise(job, made, FakeControl())
    with scarce(runner, "vae", lambda vae, rows: vae.use_tiling):
        runner.decode(job, denoised, FakeControl())
    assert runner.measured().rungs == {
        "the VAE works image by image": 1,
        "the VAE works tile by tile": 1,
    }


def test_memory_of_the_process_and_of_no_device(open_runner: MakeRunner) -> None:
    memory = open_runner().measured().memory
    assert memory.process_bytes > 10_000_000
    assert memory.total_bytes is None


def test_counting_and_looking_at_once() -> None:
    """The heart looks while the engine counts; neither may trip over the other."""
    figures, module = Figures(torch.device("cpu")), torch.nn.Identity()

    def count() -> None:
        for rows in range(5000):
            figures.count_pass(module, rows, 1)
            figures.count_rung(f"out of memory: {rows % 700}")

    with ThreadPoolExecutor(1) as threads:
        counting = threads.submit(count)
        while not counting.done():
            figures.measured()
        counting.result()
    assert figures.measured().batching["Identity"].requests == 5000
    assert sum(figures.measured().rungs.values()) == 5000
