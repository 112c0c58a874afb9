"""A tiny Stable Diffusion that options are put on."""

from pathlib import Path
from typing import Any

import diffusers
import pytest


@pytest.fixture
def pipe(folders: dict[str, Path]) -> Any:
    loaded = diffusers.StableDiffusionPipeline.from_pretrained(folders["sd"])
    loaded.set_progress_bar_config(disable=True)
    return loaded
