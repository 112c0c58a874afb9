"""Weights that wait on disk leave nothing there: when dropped, or when a worker was killed."""

import gc
import tempfile
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.workers import tiny
from workers.options.disk import open_folder, remove_orphans
from workers.options.offload import offload


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_an_offloaded_module_takes_its_folder_with_it(disk: Path) -> None:
    module = tiny.vae()
    assert offload(module, torch.device("cpu"), to_disk=True)
    assert list(disk.rglob("*.safetensors"))
    del module
    gc.collect()
    assert not list(disk.iterdir())


def test_what_a_killed_process_left_is_removed_at_the_next_start(disk: Path) -> None:
    module = nn.Linear(1, 1)
    living, orphan, others = open_folder(module), disk / "myriad-offload-dead", disk / "others"
    for folder in (orphan, others):
        folder.mkdir()
        (folder / "lock").touch()
        (folder / "group_1.safetensors").touch()
    remove_orphans()
    assert set(disk.iterdir()) == {living, others}
