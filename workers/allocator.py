"""glibc's malloc, told to keep what is freed: forward passes ask for the same again at once.

By itself it maps every larger block anew and gives freed memory back to the system, so that
each step of a denoiser on a CPU touches thousands of pages for the first time.
"""

import ctypes
from functools import cache
from typing import Final

# malloc.h
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

# Larger blocks, weights mostly, are still mapped, and so go back when they are dropped.
_MAPPED_BYTES: Final = 64 * 2**20
_KEPT_BYTES: Final = 2**30


def keep_freed_memory() -> bool:
    """Before other threads begin; False where there is another allocator, which is left alone."""
    libc = _glibc()
    if libc is None:
        return False
    wishes = (
        (_M_MMAP_THRESHOLD, _MAPPED_BYTES),
        (_M_TRIM_THRESHOLD, _KEPT_BYTES),
        (_M_ARENA_MAX, 1),  # other arenas grow in small pieces that they give back
    )
    return all(libc.mallopt(*wish) == 1 for wish in wishes)


def give_freed_memory_back() -> None:
    """Return what is free to the system at once."""
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The process's own C library, if it is glibc."""
    try:
        libc = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    return libc if hasattr(libc, "gnu_get_libc_version") else None
