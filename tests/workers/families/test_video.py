"""Videos: two experts, a time for each token, decoders that draw noise, and what travels."""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import av
import pytest
import torch
from diffusers.utils import is_ftfy_available

from myriad.catalog import Catalog, Model
from myriad.job import Stage
from myriad.lease import Lease
from myriad.pool import Pool
from myriad.resolve import resolve
from tests.workers.batching.test_sharing import held, wait_for_queue
from tests.workers.families.stock import assert_same_frames, call_stock, split
from tests.workers.families.tiny import TINY, ltx, wan
from tests.workers.stage import FakeControl, make_lease
from workers import blob
from workers.batching.policy import EveryRow
from workers.conditions import Conditions
from workers.families import find_family
from workers.families.base import Frames
from workers.families.ltx import DECODE_NOISE_SCALE, DECODE_TIMESTEP, _seeded
from workers.ladder import rungs_for
from workers.runner import Runner

VIDEO = {"num_frames": 5}
STEPS = 4
Open = Callable[..., Runner]


@pytest.fixture(scope="module")
def two_experts(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Wan 2.2's large model; at half its time the second transformer takes over."""
    return saved("wan", tmp_path_factory, boundary_ratio=0.75)


@pytest.fixture(scope="module")
def time_a_token(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Wan 2.2's small model."""
    return saved("wan", tmp_path_factory, expand_timesteps=True)


@pytest.fixture
def open_runner() -> Iterator[Open]:
    opened: list[Runner] = []

    def make(model: Model, *stages: Stage, **pool: Any) -> Runner:
        served = stages or tuple(Stage)
        opened.append(Runner(Catalog([model]), Pool(name="tiny", stages=served, **pool)))
        opened[-1]._engine.hub._batcher.policy = EveryRow()
        return opened[-1]

    yield make
    for runner in opened:
        runner.close()


def saved(family: str, folders: pytest.TempPathFactory, **options: Any) -> Model:
    known = {"wan": wan, "ltx": ltx}[family]
    return Model(
        name=family,
        family=family,
        source=str(known.save(folders.mktemp("video") / family, **options)),
        defaults=TINY[family].defaults,
        limits=TINY[family].limits,
    )


def job_of(model: Model, **asked: Any) -> Lease:
    return make_lease(model.name, resolve({"prompt": "a red cat", "seed": 11, **asked}, model))


def stock(model: Model) -> Any:
    pipe = find_family(model.family).pipeline.from_pretrained(model.source)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def denoise(runner: Runner, *jobs: Lease) -> list[torch.Tensor]:
    """All at once."""
    blobs = [runner.encode(job, {}, FakeControl()) for job in jobs]
    with ThreadPoolExecutor(len(jobs)) as threads, held(runner):
        waiting = [
            threads.submit(runner.denoise, job, blob_in, FakeControl())
            for job, blob_in in zip(jobs, blobs, strict=True)
        ]
        wait_for_queue(runner, len(jobs))
    return [blob.load(future.result())["latents"] for future in waiting]


def shapes_of(runner: Runner, module: str) -> list[torch.Size]:
    """Fills with the shape of the latents of each forward pass of `module` from now on."""
    shapes: list[torch.Size] = []

    def install() -> None:
        embedding = getattr(runner._library.get("wan").pipe, module).patch_embedding
        embedding.register_forward_pre_hook(lambda _, args: shapes.append(args[0].shape))

    runner._engine.run(install)
    return shapes


@pytest.mark.parametrize("asked", [{}, {"num_frames": 5}], ids=str)
@pytest.mark.parametrize("which", ["two_experts", "time_a_token"])
def test_split_equals_stock(
    open_runner: Open, which: str, asked: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    model: Model = request.getfixturevalue(which)
    job, pipe = job_of(model, num_inference_steps=STEPS, **asked), stock(model)
    latents, frames = split({stage: open_runner(model, stage) for stage in Stage}, job)
    assert torch.equal(latents, call_stock(pipe, job, "latent"))
    assert_same_frames(frames, call_stock(pipe, job, "pil"))


def test_both_experts_take_part_and_share_their_forwards(
    two_experts: Model, open_runner: Open
) -> None:
    together, alone = open_runner(two_experts, max_rows=64), open_runner(two_experts)
    high, low = shapes_of(together, "transformer"), shapes_of(together, "transformer_2")
    jobs = [
        job_of(two_experts, seed=seed, prompt=prompt, num_inference_steps=STEPS, **VIDEO)
        for seed, prompt in enumerate(("a cat", "a dog", "blue"))
    ]
    for job, shared in zip(jobs, denoise(together, *jobs), strict=True):
        [own] = denoise(alone, job)
        assert (shared - own).abs().max() < 1e-4 * own.abs().max()
    assert high
    assert low
    # With the prompt and without it, at each step; the two may meet as well.
    assert len(high) + len(low) <= 2 * STEPS
    assert all(shape[0] >= len(jobs) for shape in high + low)


def test_a_time_a_token_shares_forwards_across_step_counts(
    time_a_token: Model, open_runner: Open
) -> None:
    together, alone = open_runner(time_a_token, max_rows=64), open_runner(time_a_token)
    jobs = [
        job_of(time_a_token, seed=seed, num_inference_steps=STEPS - seed, **VIDEO)
        for seed in range(2)
    ]
    for job, shared in zip(jobs, denoise(together, *jobs), strict=True):
        [own] = denoise(alone, job)
        assert (shared - own).abs().max() < 1e-4 * own.abs().max()
    assert together.forwards < alone.forwards


def test_pictures_and_videos_do_not_share_a_batch(two_experts: Model, open_runner: Open) -> None:
    together, alone = open_runner(two_experts, max_rows=64), open_runner(two_experts)
    high, low = shapes_of(together, "transformer"), shapes_of(together, "transformer_2")
    jobs = [job_of(two_experts, num_inference_steps=STEPS, **asked) for asked in ({}, VIDEO)]
    for job, shared in zip(jobs, denoise(together, *jobs), strict=True):
        assert torch.equal(shared, denoise(alone, job)[0])
    frames = [shape[2] for shape in high + low]
    # Each step has a forward with the prompt and one without; five frames are two latent ones.
    assert frames.count(1) == frames.count(2) == 2 * STEPS
    assert {shape[0] for shape in high + low} == {1}


@pytest.mark.parametrize("which", ["two_experts", "time_a_token"])
def test_resumed_equals_uninterrupted(
    open_runner: Open, which: str, request: pytest.FixtureRequest
) -> None:
    model: Model = request.getfixturevalue(which)
    first, second = open_runner(model), open_runner(model)
    job = job_of(model, num_inference_steps=STEPS, **VIDEO)
    embeds, control = first.encode(job, {}, FakeControl()), FakeControl(takes_checkpoints=True)
    whole = blob.load(first.denoise(job, embeds, control))["latents"]
    assert len(control.checkpoints) == STEPS - 1
    for done, checkpoint in enumerate(control.checkpoints, start=1):
        before = second.forwards
        again = blob.load(second.denoise(job, embeds, FakeControl(), checkpoint))["latents"]
        assert torch.equal(again, whole)
        # With the prompt and without it, at each step that was left.
        assert second.forwards - before == 2 * (STEPS - done)


def test_padding_does_not_travel(two_experts: Model, open_runner: Open) -> None:
    job = job_of(two_experts, prompt="a cat", guidance_scale=1.0)
    conditions = Conditions.load(open_runner(two_experts).encode(job, {}, FakeControl()))
    length = conditions.embeds["prompt_embeds"].shape[1]
    assert length == len(stock(two_experts).tokenizer("a cat").input_ids) < 16


def test_prompts_are_cleaned_as_the_pipeline_cleans_them(
    two_experts: Model, open_runner: Open
) -> None:
    assert is_ftfy_available()
    runner = open_runner(two_experts, Stage.ENCODE)

    def embeds(prompt: str) -> torch.Tensor:
        encoded = runner.encode(job_of(two_experts, prompt=prompt), {}, FakeControl())
        tensor: torch.Tensor = Conditions.load(encoded).embeds["prompt_embeds"]
        return tensor

    # Mojibake, an entity, and spaces.
    assert torch.equal(embeds("the cat\u00e2\u20ac\u2122s  &amp;"), embeds("the cat's &"))


def test_a_video_job_becomes_one_mp4_a_seed(two_experts: Model, open_runner: Open) -> None:
    job = job_of(two_experts, num_images=2, fps=10, **VIDEO)
    runner, control = open_runner(two_experts), FakeControl()
    latents = runner.denoise(job, runner.encode(job, {}, control), control)
    pictures = runner.decode(job, latents, control)
    assert [picture.seed for picture in pictures] == [11, 12]
    for picture in pictures:
        assert (picture.content_type, picture.num_frames, picture.fps) == ("video/mp4", 5, 10)
        with av.open(io.BytesIO(picture.data)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 5


def test_layers_that_begin_to_wait_elsewhere_come_back_for_every_pass(
    tmp_path_factory: pytest.TempPathFactory, open_runner: Open
) -> None:
    """Also those of the transformer itself, while requests that share nothing take turns."""
    model = saved("wan", tmp_path_factory)
    runner, jobs = open_runner(model), [job_of(model, **VIDEO), job_of(model, num_frames=1)]
    expected = denoise(runner, *jobs)
    loaded = runner._engine.run(lambda: runner._library.get("wan"))
    whole = loaded.size_bytes
    assert runner._engine.run(lambda: rungs_for(Stage.DENOISE, lambda: False)[1].climb(loaded))
    assert loaded.size_bytes < whole
    assert not loaded.can_wait
    for got, own in zip(denoise(runner, *jobs), expected, strict=True):
        assert (got - own).abs().max() < 1e-4 * own.abs().max()


@pytest.mark.parametrize(
    "options",
    [
        {"timestep_conditioning": True},
        {"decoder_inject_noise": (True, True, False, False, False)},
        {"timestep_conditioning": True, "decoder_inject_noise": (True, True, True, True, False)},
    ],
    ids=str,
)
def test_ltx_decodes_with_the_noise_the_pipeline_would_draw(
    tmp_path_factory: pytest.TempPathFactory, open_runner: Open, options: dict[str, Any]
) -> None:
    model = saved("ltx", tmp_path_factory, **options)
    runner, job = open_runner(model, Stage.DECODE), job_of(model)
    pipe = stock(model)
    latents = call_stock(pipe, job, "latent")

    def ours() -> Frames:
        loaded = runner._library.get(job.model)
        [frames] = loaded.family.decode(loaded.pipe, latents, job.params)
        return frames

    drawn = runner._engine.run(ours)
    arguments = ltx.call(pipe, job.params) | {
        "height": job.params.height,
        "width": job.params.width,
        "num_inference_steps": job.params.num_inference_steps,
        "generator": [torch.Generator().manual_seed(job.params.seed)],
        "decode_timestep": DECODE_TIMESTEP,
        "decode_noise_scale": DECODE_NOISE_SCALE,
        "output_type": "pil",
    }
    torch.manual_seed(job.params.seed)  # for noise that a decoder draws by itself
    assert_same_frames([drawn], pipe(**arguments).frames)


def test_a_decoders_own_noise_is_the_seeds_on_apples_devices_too() -> None:
    """Whose generator is not asked for by device."""
    before = torch.get_rng_state()
    with _seeded(7, torch.device("mps")):
        drawn = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(7)))


def levels(video: bytes) -> torch.Tensor:
    """[frames, height, width, 3], 0…255, as a player shows them."""
    with av.open(io.BytesIO(video)) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return torch.stack([torch.from_numpy(each) for each in shown]).float()


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().mean())


def test_ltx_decodes_with_its_own_noise_beside_another(
    tmp_path_factory: pytest.TempPathFactory, open_runner: Open
) -> None:
    model = saved("ltx", tmp_path_factory, decoder_inject_noise=(True, True, False, False, False))
    runner, jobs = open_runner(model, max_rows=64), [job_of(model, seed=seed) for seed in (1, 2)]
    blobs = [blob.dump({"latents": latents}) for latents in denoise(runner, *jobs)]

    def decode(job: Lease, latents: bytes) -> torch.Tensor:
        return levels(runner.decode(job, latents, FakeControl())[0].data)

    alone = [decode(*each) for each in zip(jobs, blobs, strict=True)]
    others_noise = decode(jobs[1], blobs[0])
    with ThreadPoolExecutor(2) as threads, held(runner):
        waiting = [threads.submit(decode, *each) for each in zip(jobs, blobs, strict=True)]
        wait_for_queue(runner, 2)
    for each, expected in zip(waiting, alone, strict=True):
        assert distance(each.result(), expected) < 0.1 * distance(others_noise, alone[0])


def test_ltx_takes_its_rate_into_account(
    tmp_path_factory: pytest.TempPathFactory, open_runner: Open
) -> None:
    model = saved("ltx", tmp_path_factory)
    runner = open_runner(model)
    [slow], [fast] = (denoise(runner, job_of(model, fps=fps)) for fps in (8, 24))
    assert not torch.allclose(slow, fast, rtol=1e-3)
