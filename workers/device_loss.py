"""Whether an error means that the device is of no more use to this process."""

import re

import torch

# What drivers say: CUDA's, ROCm's, Ascend's, Intel's. torch has a class only for the first two.
_OF_A_DEVICE = re.compile(
    r"\b(CUDA|HIP|NPU|ACL|XPU|UR|MUSA|MPS) ?(function )?error|device-side assert|DEVICE_LOST"
    r"|\b(CUDNN|CUBLAS|CUSOLVER|CUFFT|NCCL)_STATUS_|Level[- ]Zero|driver shutting down",
    re.IGNORECASE,
)


def is_device_lost(error: BaseException) -> bool:
    """Whether the device failed, and still does: some errors only concern the call they ended.

    After a failed assertion or an illegal address a CUDA context answers every call
    with the same error, for as long as the process lives. So the device is asked.
    """
    return speaks_of_device(error) and not _device_answers()


def speaks_of_device(error: BaseException) -> bool:
    """Whether a driver, or a library of the device's, has reported the error."""
    if isinstance(error, torch.AcceleratorError):
        return True
    return isinstance(error, RuntimeError) and _OF_A_DEVICE.search(str(error)) is not None


def _device_answers() -> bool:
    """Whether the thread's accelerator still works; one that has vanished does not."""
    try:
        if not torch.accelerator.is_available():
            return False
        torch.accelerator.synchronize()
        device = torch.accelerator.current_accelerator(check_available=True)
        return torch.ones(1, device=device).item() == 1
    except Exception:
        return False
