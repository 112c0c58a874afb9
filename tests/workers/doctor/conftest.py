"""A tiny model, one that is not here, and pools of every fortune."""

from pathlib import Path

import pytest
from diffusers import AutoencoderTiny

from tests.workers import tiny

CATALOG = """
[[model]]
name = "tiny"
family = "sd"
source = "sd"
tiny_vae = "tiny-vae"
max_prompt_tokens = 16

[model.defaults]
width = 32
height = 16

[model.limits]
min_size = 16
max_size = 64
max_pixels = 4096

[[model]]
name = "elsewhere"
family = "sdxl"
source = "someone/a-model"
revision = "0123456789abcdef0123456789abcdef01234567"
"""

POOLS = """
[[pool]]
name = "all"
stages = ["encode", "denoise", "decode"]
precision = "fp32"
threads = 1

[[pool]]
name = "gpu"
stages = ["denoise"]
device = "cuda:7"

[[pool]]
name = "small"
stages = ["decode"]
memory = "1KiB"
threads = 64
"""


@pytest.fixture(scope="session")
def farm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds `catalog.toml`, `pools.toml` and the model folders `sd` and `tiny-vae`."""
    folder = tmp_path_factory.mktemp("farm")
    tiny.save_sd(folder / "sd")
    AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    ).save_pretrained(folder / "tiny-vae")
    (folder / "catalog.toml").write_text(CATALOG)
    (folder / "pools.toml").write_text(POOLS)
    return folder
