"""The whole recipe in order: `python -m model.train`.

Each part is skipped when its result already lies in the run's folder, and the denoiser picks up
its last checkpoint, so a stopped run goes on where it was. Minutes are those of two idle cores.
"""

import argparse
import logging
from pathlib import Path

from transformers import CLIPTokenizer

from model.card import EVALUATION, write_card
from model.denoiser import train_denoiser
from model.evaluate import Settings, evaluate, write_evaluation
from model.export import NAME, export
from model.latents import cache_latents
from model.parts import diffusers
from model.text_encoder import train_text_encoder
from model.tokenizer import build_tokenizer
from model.vae import train_vae

log = logging.getLogger(__name__)
WEIGHTS = Path(__file__).parent / "weights"
TEXT_ENCODER_MINUTES = 10.0
VAE_MINUTES = 12.5
DENOISER_MINUTES = 85.0
LATENT_FILES = 28
#: Test prompts a language at each size.
TEST_SIZES = {(128, 128): 300, (192, 128): 100, (128, 192): 100, (160, 160): 100, (96, 96): 100}


def train(folder: Path, minutes: float) -> None:
    """Train whatever `folder` still lacks; `minutes` is the denoiser's share."""
    if not (folder / "tokenizer").exists():
        build_tokenizer(folder / "tokenizer")
    if not (folder / "text_encoder").exists():
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        right = train_text_encoder(tokenizer, folder / "text_encoder", TEXT_ENCODER_MINUTES)
        log.info("captions read all right: %.1f %%", 100 * right)
    if not (folder / "vae").exists():
        train_vae(folder / "vae", VAE_MINUTES)
    vae = diffusers.AutoencoderKL.from_pretrained(folder / "vae").eval()
    cache_latents(vae, folder / "latents", LATENT_FILES)
    train_denoiser(folder, minutes)


def publish(folder: Path, target: Path) -> None:
    """Export the weights, measure them on the test prompts and write the card."""
    export(folder, target)
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(target)
    pipeline.set_progress_bar_config(disable=True)
    settings = Settings()
    rows = evaluate(pipeline, "test", TEST_SIZES, settings)
    write_evaluation(rows, settings, target / EVALUATION)
    write_card(target)


def main() -> None:
    """Read the command line, train, publish."""
    parser = argparse.ArgumentParser(description="Train the bundled demo model.")
    parser.add_argument("--out", type=Path, default=Path("build/model"), help="the run's folder")
    parser.add_argument("--weights", type=Path, default=WEIGHTS / NAME, help="where weights go")
    parser.add_argument("--minutes", type=float, default=DENOISER_MINUTES, help="denoiser training")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train(arguments.out, arguments.minutes)
    publish(arguments.out, arguments.weights)


if __name__ == "__main__":
    main()
