"""The bundled model's own ControlNet and LoRAs, as a farm would run them."""

from typing import Any

import diffusers
import pytest
import torch
from PIL import Image, ImageDraw

from myriad.adapter import ControlNet, Lora
from myriad.catalog import ROOT, Catalog, load_catalog
from myriad.job import Stage
from myriad.resolve import resolve
from tests.workers.adapters.stock import load_loras
from tests.workers.picture_input import png
from tests.workers.stage import FakeControl, MakeRunner, make_lease
from workers import blob

WEIGHTS = ROOT / "model/weights"
LORAS = ("shapes-night", "shapes-framed")
NETS = ("shapes-edges",)
SIZE = 128


@pytest.fixture(scope="module")
def bundled() -> Catalog:
    if missing := [name for name in (*LORAS, *NETS) if not (WEIGHTS / name).is_dir()]:
        pytest.skip(f"not trained yet: {', '.join(missing)}")
    model = load_catalog().default
    places = {name: str(WEIGHTS / name) for name in (*LORAS, *NETS)}
    return Catalog(
        [model],
        [Lora(name=name, source=places[name], models=(model.name,)) for name in LORAS],
        [ControlNet(name=name, source=places[name], models=(model.name,)) for name in NETS],
    )


def edges() -> Image.Image:
    """A square's outline, white on black."""
    picture = Image.new("RGB", (SIZE, SIZE))
    ImageDraw.Draw(picture).rectangle((40, 40, 90, 90), outline="white", width=3)
    return picture


def test_they_do_what_they_do_in_the_stock_pipeline(
    bundled: Catalog, open_runner: MakeRunner
) -> None:
    model, [net] = bundled.default, NETS
    digest, data = png(edges())
    asked: dict[str, Any] = {"prompt": "a red square", "seed": 4, "num_inference_steps": 3}
    added: dict[str, Any] = {
        "loras": [{"name": name, "scale": 0.8} for name in LORAS],
        "controlnets": [{"model": net, "image": digest}],
    }
    runner, latents = open_runner(*Stage, models=bundled), []
    for each in (asked, asked | added):
        job = make_lease(model.name, resolve(each, model, bundled))
        embeds = runner.encode(job, {digest: data}, FakeControl())
        latents.append(blob.load(runner.denoise(job, embeds, FakeControl()))["latents"])
    plain, both = latents
    assert not torch.allclose(plain, both, rtol=1e-1)
    assert torch.equal(both, call_stock(bundled, job.params))


def call_stock(bundled: Catalog, params: Any) -> torch.Tensor:
    pipe = diffusers.StableDiffusionControlNetPipeline.from_pretrained(
        bundled.default.source,
        controlnet=diffusers.ControlNetModel.from_pretrained(
            bundled.controlnets[NETS[0]].source, dtype=torch.float32
        ),
        dtype=torch.float32,
    )
    pipe.set_progress_bar_config(disable=True)
    load_loras(pipe, bundled, dict.fromkeys(LORAS, 0.8))
    pipe.scheduler = getattr(diffusers, params.scheduler).from_config(pipe.scheduler.config)
    latents: torch.Tensor = pipe(
        params.prompt,
        image=edges(),
        width=SIZE,
        height=SIZE,
        num_inference_steps=params.num_inference_steps,
        guidance_scale=params.guidance_scale,
        generator=[torch.Generator().manual_seed(params.seed)],
        output_type="latent",
    ).images
    return latents
