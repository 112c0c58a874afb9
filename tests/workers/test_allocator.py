"""What is freed is kept: the same memory again costs no new pages."""

import subprocess
import sys

import pytest

from workers.allocator import keep_freed_memory

_PAGES = 512
_FAULTS = """
import resource
from threading import Thread
from workers.allocator import give_freed_memory_back, keep_freed_memory
if {kept}:
    assert keep_freed_memory()
import torch
def faults():
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
def use():
    for size in (3, 1, 5, 2):
        [torch.ones(size << 18) for _ in range(8)]  # MiB each, as in a forward pass
def using():
    before = faults()
    use()
    return faults() - before
def count():
    use()
    kept = min(using() for _ in range(5))  # something small may come to lie in between, once
    give_freed_memory_back()
    print(kept, using())
thread = Thread(target=count)
thread.start()
thread.join()
"""


def faults(kept: bool) -> tuple[int, int]:
    """Page faults of a thread that uses the same memory again: at once, and once it was given back.

    In a process of its own: an allocator's settings hold for all of it.
    """
    run = subprocess.run(
        [sys.executable, "-c", _FAULTS.format(kept=kept)],
        capture_output=True,
        text=True,
        check=True,
    )
    again, anew = map(int, run.stdout.split())
    return again, anew


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_memory_that_is_used_again_is_not_mapped_again() -> None:
    plain, _ = faults(kept=False)
    kept, given_back = faults(kept=True)
    assert plain > _PAGES
    assert kept < _PAGES / 8
    assert given_back > _PAGES


def test_another_allocator_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.allocator._glibc", lambda: None)
    assert not keep_freed_memory()
