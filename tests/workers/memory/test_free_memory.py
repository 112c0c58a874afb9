"""Free memory of this machine, or of the container it runs in."""

from pathlib import Path

import psutil
import torch

from workers.memory import free_memory
from workers.memory.free_memory import free_bytes, measured_growth, total_bytes

CPU = torch.device("cpu")


def test_this_machine() -> None:
    assert 0 < free_bytes(CPU) <= total_bytes(CPU) <= psutil.virtual_memory().total


def test_a_container_has_what_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 600\ninactive_file 250\n")
    assert free_memory.free_host_bytes(tmp_path) == 350
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory.free_host_bytes(tmp_path) > 1_000


def test_a_device_that_cannot_tell_kills_nobody() -> None:
    """One that is absent raises as one does that has no such call."""
    assert free_bytes(torch.device("xpu")) is None


def test_a_cpu_has_no_allocator_to_ask() -> None:
    with measured_growth(CPU) as growth:
        torch.zeros(10)
    assert growth.peak_bytes is None
