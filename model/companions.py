"""The companions of the bundled model, in order: `python -m model.companions`.

An edge ControlNet and two LoRAs for it, and a second, smaller model on its text encoder and
autoencoder. Each part resumes from its last checkpoint; minutes are those of one idle core.
"""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

from torch import nn

from model import edges, mini
from model.card import EVALUATION, write_companion_card
from model.edges import train_edges
from model.evaluate import Rows, Settings, write_evaluation
from model.export import NAME as BASE
from model.export import tidy, write_folder
from model.lora import save_lora, train_lora
from model.measure import measure_edges, measure_mini, measure_style, traced_scenes
from model.mini import build_mini, train_mini
from model.parts import Pipeline, diffusers
from model.style import FRAMED, NIGHT, Style
from model.train import WEIGHTS

log = logging.getLogger(__name__)
SETTINGS = Settings()
EDGES_MINUTES = 12.0
LORA_MINUTES = {NIGHT.name: 8.0, FRAMED.name: 24.0}
MINI_MINUTES = 10.0
#: Test scenes, and test prompts a language.
TEST_SCENES, TEST_PROMPTS, TEST_ICONS = 100, 60, 200


def load_pipeline(folder: Path) -> Pipeline:
    """A shipped pipeline in full precision, without progress bars."""
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def load_edges(pipeline: Pipeline, folder: Path) -> Pipeline:
    """The pipeline with the shipped ControlNet."""
    controlnet = diffusers.ControlNetModel.from_pretrained(folder)
    guided = diffusers.StableDiffusionControlNetPipeline.from_pipe(pipeline, controlnet=controlnet)
    guided.set_progress_bar_config(disable=True)
    return guided


def make_edges(folder: Path, weights: Path) -> None:
    """Train, write and measure the ControlNet."""
    target = weights / edges.NAME
    controlnet = train_edges(load_pipeline(weights / BASE), folder, EDGES_MINUTES)
    nn.Module.half(controlnet).save_pretrained(target)
    tidy(target)
    guided = load_edges(load_pipeline(weights / BASE), target)
    rows = measure_edges(guided, traced_scenes("test", TEST_SCENES), SETTINGS)
    _publish(rows, "edges", {"minutes": f"{EDGES_MINUTES:g}"}, target)


def make_style(style: Style, folder: Path, weights: Path) -> None:
    """Train, write and measure one LoRA."""
    target = weights / style.name
    pipeline = load_pipeline(weights / BASE)
    train_lora(pipeline, folder, style, LORA_MINUTES[style.name])
    save_lora(pipeline.unet, target)
    tidy(target)
    pipeline = load_pipeline(weights / BASE)
    pipeline.load_lora_weights(target, adapter_name=style.name)
    rows = measure_style(pipeline, style, "test", TEST_PROMPTS, SETTINGS)
    minutes = f"{LORA_MINUTES[style.name]:g}"
    _publish(rows, "style", {**style.words, "minutes": minutes}, target)


def make_mini(folder: Path, weights: Path) -> None:
    """Train, write and measure the second model."""
    target = weights / mini.NAME
    base = load_pipeline(weights / BASE)
    unet = train_mini(base, folder, MINI_MINUTES)
    write_folder(build_mini(base, unet), weights / BASE / "tokenizer", target)
    rows = measure_mini(load_pipeline(target), "test", TEST_ICONS, SETTINGS)
    _publish(rows, "mini", {"minutes": f"{MINI_MINUTES:g}"}, target)


def _publish(rows: Rows, kind: str, fields: dict[str, str], target: Path) -> None:
    """Write the figures and the card beside the weights."""
    write_evaluation(rows, SETTINGS, target / EVALUATION)
    write_companion_card(kind, fields, target)
    for name, row in rows.items():
        log.info("%s %s: %s", target.name, name, row)


PARTS: dict[str, Callable[[Path, Path], None]] = {
    edges.NAME: make_edges,
    NIGHT.name: lambda folder, weights: make_style(NIGHT, folder, weights),
    FRAMED.name: lambda folder, weights: make_style(FRAMED, folder, weights),
    mini.NAME: make_mini,
}


def main() -> None:
    """Read the command line, make the parts it names."""
    parser = argparse.ArgumentParser(description="Train the bundled model's companions.")
    parser.add_argument("--out", type=Path, default=Path("build/companions"), help="runs' folder")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="the folder of all weights")
    parser.add_argument("--part", action="append", choices=list(PARTS), help="default: every part")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for name in arguments.part or PARTS:
        PARTS[name](arguments.out, arguments.weights)


if __name__ == "__main__":
    main()
