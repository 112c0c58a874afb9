"""A folder of Modular Diffusers blocks draws what the classical pipeline of its weights draws."""

import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from PIL import Image

from myriad.catalog import Catalog, Defaults, Limits, Model
from myriad.errors import LeaseLost, ModelNotLoadable, PromptTooLong
from myriad.job import Stage
from myriad.lease import Lease
from myriad.pool import Pool
from myriad.resolve import resolve
from tests.workers.families.tiny import TINY, modular
from tests.workers.stage import FakeControl, make_lease
from workers import blob
from workers.runner import Runner

SCHEDULERS = {"sdxl": "EulerDiscreteScheduler", "flux": "FlowMatchEulerDiscreteScheduler"}
Open = Callable[..., Runner]


@pytest.fixture(scope="module", params=list(modular.CLASSICAL))
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A modular folder of that kind."""
    kind: str = request.param
    folder = modular.save(tmp_path_factory.mktemp("modular") / kind, kind)
    return of_folder(kind, folder)


@pytest.fixture
def open_runner() -> Iterator[Open]:
    opened: list[Runner] = []

    def make(model: Model, *stages: Stage, **pool: Any) -> Runner:
        served = stages or tuple(Stage)
        opened.append(Runner(Catalog([model]), Pool(name="tiny", stages=served, **pool)))
        return opened[-1]

    yield make
    for runner in opened:
        runner.close()


def of_folder(kind: str, folder: Path) -> Model:
    return Model(
        name=kind,
        family="modular",
        source=str(folder),
        defaults=Defaults(width=16, height=32, num_inference_steps=3, scheduler=SCHEDULERS[kind]),
        limits=Limits(min_size=16, size_multiple=16),
    )


def job_of(model: Model, **asked: Any) -> Lease:
    return make_lease(model.name, resolve({"prompt": "a red cat", "seed": 11, **asked}, model))


def split(open_runner: Open, model: Model, job: Lease) -> tuple[torch.Tensor, list[Image.Image]]:
    """Latents and pictures of a job whose three stages share nothing but bytes."""
    encode, denoise, decode = (open_runner(model, stage) for stage in Stage)
    latents = denoise.denoise(job, encode.encode(job, {}, FakeControl()), FakeControl())
    pictures = decode.decode(job, latents, FakeControl())
    images = [Image.open(io.BytesIO(picture.data)) for picture in pictures]
    return blob.load(latents)["latents"], images


def stock_modular(model: Model, job: Lease) -> dict[str, Any]:
    """Latents and images of the whole modular pipeline, as anyone would load and call it."""
    params = job.params
    pipe = diffusers.ModularPipeline.from_pretrained(model.source)
    pipe.load_components()
    pipe.vae.enable_slicing()
    scheduler = getattr(diffusers, params.scheduler).from_config(pipe.scheduler.config)
    pipe.update_components(scheduler=scheduler)
    arguments = TINY[model.name].call(pipe, params)
    scale = arguments.pop("guidance_scale")
    if hasattr(pipe, "guider"):
        pipe.update_components(guider=pipe.guider.new(guidance_scale=max(1.0, scale)))
    else:
        arguments["guidance_scale"] = scale
    made: dict[str, Any] = pipe(**arguments, **sizes(job), output=["latents", "images"])
    return made


def classical(model: Model, job: Lease) -> list[Image.Image]:
    """What the classical pipeline of the same weights draws."""
    params = job.params
    pipe = diffusers.DiffusionPipeline.from_pretrained(modular.beside(Path(model.source)))
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = getattr(diffusers, params.scheduler).from_config(pipe.scheduler.config)
    images: list[Image.Image] = pipe(**TINY[model.name].call(pipe, params), **sizes(job)).images
    return images


def sizes(job: Lease) -> dict[str, Any]:
    params = job.params
    return {
        "width": params.width,
        "height": params.height,
        "num_inference_steps": params.num_inference_steps,
        "generator": [torch.Generator().manual_seed(seed) for seed in params.seeds],
    }


@pytest.mark.parametrize(
    "asked", [{}, {"guidance_scale": 0.0}, {"num_images": 2, "prompt": "a dog"}], ids=str
)
def test_three_pools_equal_the_whole_modular_pipeline_bit_for_bit(
    model: Model, open_runner: Open, asked: dict[str, Any]
) -> None:
    job = job_of(model, **asked)
    latents, images = split(open_runner, model, job)
    expected = stock_modular(model, job)
    assert torch.equal(latents, expected["latents"])
    assert [each.tobytes() for each in images] == [each.tobytes() for each in expected["images"]]


def test_it_draws_the_classical_pipelines_pixels(model: Model, open_runner: Open) -> None:
    job = job_of(model)
    _, [image] = split(open_runner, model, job)
    [other] = classical(model, job)
    assert image.size == other.size == (16, 32)
    assert image.tobytes() == other.tobytes()


def test_what_is_asked_for_matters(model: Model, open_runner: Open) -> None:
    runner = open_runner(model)
    plain = latents_of(runner, job_of(model))
    for asked in ({"prompt": "blue"}, {"seed": 12}, {"guidance_scale": 2.0}):
        assert not torch.allclose(plain, latents_of(runner, job_of(model, **asked))), asked
    assert torch.equal(plain, latents_of(runner, job_of(model)))


def test_it_reports_each_step_and_stops_within_one(model: Model, open_runner: Open) -> None:
    runner, job = open_runner(model), job_of(model, num_inference_steps=5)
    embeds = runner.encode(job, {}, FakeControl())
    control = FakeControl()
    runner.denoise(job, embeds, control)
    assert control.seen == [(done, 5) for done in range(1, 6)]
    stopping = FakeControl(stop_after=2)
    with pytest.raises(LeaseLost):
        runner.denoise(job, embeds, stopping)
    assert len(stopping.seen) == 2


def test_resumed_equals_uninterrupted(model: Model, open_runner: Open) -> None:
    runner, job = open_runner(model), job_of(model, num_inference_steps=5)
    embeds = runner.encode(job, {}, FakeControl())
    control = FakeControl(takes_checkpoints=True)
    whole = runner.denoise(job, embeds, control)
    assert len(control.checkpoints) == 4
    resumed = FakeControl()
    again = runner.denoise(job, embeds, resumed, control.checkpoints[1])
    assert torch.equal(blob.load(whole)["latents"], blob.load(again)["latents"])
    assert resumed.seen == [(2, 5), (3, 5), (4, 5), (5, 5)]


def latents_of(runner: Runner, job: Lease) -> torch.Tensor:
    embeds = runner.encode(job, {}, FakeControl())
    latents: torch.Tensor = blob.load(runner.denoise(job, embeds, FakeControl()))["latents"]
    return latents


def test_each_pool_loads_only_its_stages_components(model: Model, open_runner: Open) -> None:
    weights = []
    for stage in Stage:
        runner = open_runner(model, stage)
        runner.preload(model.name)
        [loaded] = runner._library.held
        weights.append(loaded.size_bytes)
    whole = open_runner(model)
    whole.preload(model.name)
    [loaded] = whole._library.held
    assert loaded.size_bytes == sum(weights)
    assert min(weights) > 0


def test_a_vae_overflows_in_fp16_where_its_blocks_say_so(model: Model, open_runner: Open) -> None:
    """From the start: the blocks would switch its type to and fro while others wait for it."""
    runner = open_runner(model, Stage.DECODE, precision="fp16")
    runner.preload(model.name)
    [loaded] = runner._library.held
    expected = {"sdxl": torch.float32, "flux": torch.float16}
    assert loaded.pipe.vae.dtype is expected[model.name]


def test_a_prompt_that_no_tokenizer_reads_to_its_end_is_refused(
    model: Model, open_runner: Open
) -> None:
    with pytest.raises(PromptTooLong):
        open_runner(model, Stage.ENCODE).encode(
            job_of(model, prompt="many words " * 100), {}, FakeControl()
        )


def spoil_index(**values: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "modular_model_index.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return spoil


def add_code(folder: Path) -> None:
    """Blocks of its own, as `ModularPipelineBlocks.save_pretrained` leaves them."""
    (folder / "block.py").write_text("raise SystemExit('the folder's code ran')")


def add_auto_map(folder: Path) -> None:
    values = {"auto_map": {"ModularPipelineBlocks": "block.Block"}}
    (folder / "modular_config.json").write_text(json.dumps(values))


COMPONENT = {"pretrained_model_name_or_path": "elsewhere/code", "subfolder": "vae"}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (add_code, "block.py .* is code"),
        (add_auto_map, "auto_map"),
        (spoil_index(_blocks_class_name="MyBlocks"), "MyBlocks, are code of its own"),
        (spoil_index(_blocks_class_name="logging"), "logging, are code of its own"),
        (spoil_index(_class_name="os"), "no modular pipeline os"),
        (
            spoil_index(vae=["diffusers", "X", {**COMPONENT, "type_hint": ["diffusers", "X"]}]),
            "cannot be loaded",
        ),
        (spoil_index(_class_name="AutoencoderKL"), "no modular pipeline AutoencoderKL"),
        (spoil_index(vae=["subprocess", "Popen", {}]), "custom code .subprocess"),
        (
            spoil_index(vae=["diffusers", "X", {**COMPONENT, "type_hint": ["subprocess", "X"]}]),
            "custom code .subprocess",
        ),
        (lambda folder: shutil.rmtree(folder / "vae"), "has no vae"),
        (
            lambda folder: (folder / "modular_model_index.json").write_text("{}"),
            "cannot|no .* read",
        ),
    ],
)
def test_a_folder_that_is_not_safe_is_refused(
    model: Model,
    open_runner: Open,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    reason: str,
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(model.source, folder)
    spoil(folder)
    with pytest.raises(ModelNotLoadable, match=reason):
        open_runner(of_folder(model.name, folder)).preload(model.name)


def test_components_come_from_the_folder_wherever_the_index_points(
    model: Model, open_runner: Open, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(model.source, folder)
    path = folder / "modular_model_index.json"
    path.write_text(path.read_text().replace(str(model.source), "somebody/else"))
    moved = of_folder(model.name, folder)
    assert "somebody/else" in path.read_text()
    assert torch.equal(
        latents_of(open_runner(moved), job_of(moved)), latents_of(open_runner(model), job_of(model))
    )
