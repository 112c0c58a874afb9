"""Put the trained parts together as a standard `StableDiffusionPipeline` folder in half floats."""

import json
import shutil
from pathlib import Path

import torch
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from model.denoiser import SCHEDULE, build_unet
from model.parts import Pipeline, Scheduler, Unet, diffusers

NAME = "myriad-shapes"
TOKENIZER_FILES = ("vocab.json", "merges.txt")
PLACE_KEYS = ("_name_or_path", "is_local", "local_files_only")


def build_scheduler() -> Scheduler:
    """The default noise scheduler: DPM++ 2M on the training schedule."""
    scheduler = diffusers.DPMSolverMultistepScheduler(
        **SCHEDULE,
        algorithm_type="dpmsolver++",
        solver_order=2,
        timestep_spacing="linspace",
        steps_offset=1,
    )
    # For those who put DDIM in its place, whose default clips latents as if they were pixels.
    scheduler.register_to_config(clip_sample=False, set_alpha_to_one=False)
    return scheduler


def averaged_unet(folder: Path) -> Unet:
    """The UNet with the checkpoint's averaged weights."""
    unet = build_unet()
    unet.load_state_dict(torch.load(folder / "denoiser.pt")["average"])
    return unet.eval()


def build_pipeline(folder: Path, unet: Unet) -> Pipeline:
    """A full-precision pipeline from the parts a training run left in `folder`."""
    return diffusers.StableDiffusionPipeline(
        vae=diffusers.AutoencoderKL.from_pretrained(folder / "vae").eval(),
        text_encoder=CLIPTextModel.from_pretrained(folder / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        unet=unet,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def export(folder: Path, target: Path) -> None:
    """Write the run in `folder` as a stock pipeline folder, replacing its model files."""
    write_folder(build_pipeline(folder, averaged_unet(folder)), folder / "tokenizer", target)


def write_folder(pipeline: Pipeline, tokenizer_folder: Path, target: Path) -> None:
    """Write a pipeline in half floats; its tokenizer's two classic files are copied along."""
    for module in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        nn.Module.to(module, torch.float16)
    pipeline.save_pretrained(target)
    for name in TOKENIZER_FILES:
        shutil.copyfile(tokenizer_folder / name, target / "tokenizer" / name)
    tidy(target)


def tidy(target: Path) -> None:
    """Make every file of a written folder readable for all, and its configs fit for any machine."""
    _clean_configs(target)
    for path in target.rglob("*"):
        if path.is_file():
            path.chmod(0o644)


def _clean_configs(target: Path) -> None:
    """Drop what says where the parts lay when they were built, and load as 32 bits by default.

    transformers loads a model in its config's dtype, diffusers in 32 bits: left at float16, the
    text encoder alone would be half precision in a pipeline loaded without a dtype.
    """
    for path in target.rglob("*config.json"):
        data = json.loads(path.read_text(encoding="utf-8"))
        kept = {key: value for key, value in data.items() if key not in PLACE_KEYS}
        if "dtype" in kept:
            kept["dtype"] = "float32"
        path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
