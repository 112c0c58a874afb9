"""What torch and diffusers raise, turned into Myriad's errors: here and nowhere else."""

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from myriad.errors import DeviceLost, MyriadError, OutOfMemory, StageFailed
from workers.device_loss import is_device_lost, speaks_of_device

_LONGEST_REASON = 200


@contextmanager
def stage_errors() -> Iterator[None]:
    """Lets our own errors pass; raises OutOfMemory, DeviceLost or StageFailed for any other."""
    try:
        yield
    except MyriadError:
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            kind = DeviceLost if is_device_lost(error) else StageFailed
            raise kind(short(error)) from error
        # The frames of the failed call still hold its tensors, and the device has no room.
        traceback.clear_frames(error.__traceback__)
        raise OutOfMemory("the device's memory did not suffice") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on an accelerator or on the CPU (a plain RuntimeError there)."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if speaks_of_device(error):  # from outside torch's own allocator: a library's workspace
        return re.search("out of memory|ALLOC_FAILED", str(error), re.IGNORECASE) is not None
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def short(error: BaseException, *, hide: str = "") -> str:
    """The error's class and first line, for people: no traceback, and not the path `hide`."""
    reason = str(error).strip().partition("\n")[0]
    if hide:
        reason = reason.replace(hide, "the model's folder")
    return f"{type(error).__name__}: {reason}"[:_LONGEST_REASON]
