"""A catalogue with one of everything, read from its file."""

from pathlib import Path

import pytest

from myriad.catalog import Catalog, load_catalog

CATALOG = """
[[model]]
name = "base"
family = "sdxl"
source = "weights"
[model.defaults]
num_inference_steps = 10
strength = 0.6
[model.limits]
max_images = 4

[[model]]
name = "polish"
family = "sdxl-refiner"
source = "weights"
refiner_of = ["base"]

[[model]]
name = "film"
family = "wan"
source = "weights"
tiny_vae = "weights"
[model.defaults]
fps = 8
[model.limits]
max_frames = 81
frame_multiple = 4

[[model]]
name = "flow"
family = "flux"
source = "org/flow"
revision = "abc"

[[lora]]
name = "ink"
source = "ink.safetensors"
models = ["base"]
trigger = "in ink"

[[lora]]
name = "gold"
source = "weights"
models = ["base", "flow"]

[[controlnet]]
name = "edges"
source = "weights"
models = ["base"]
kind = "canny"
"""


def write_catalog(folder: Path, text: str) -> Path:
    """The file, beside the weights it names."""
    (folder / "weights").mkdir(exist_ok=True)
    (folder / "weights" / "config.json").write_text("{}")
    (folder / "ink.safetensors").write_bytes(b"ink")
    (folder / "catalog.toml").write_text(text)
    return folder / "catalog.toml"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return load_catalog(write_catalog(tmp_path, CATALOG))
