"""A device that fails: told from an error of one call, and from a lack of memory."""

import pytest
import torch

from myriad.errors import DeviceLost, MyriadError, OutOfMemory, StageFailed
from workers.batching.hub import Hub
from workers.batching.stopwatch import Stopwatch
from workers.device_loss import is_device_lost
from workers.engine import Engine
from workers.error import stage_errors

ASSERTED = torch.AcceleratorError("CUDA error: device-side assert triggered")
# No accelerator is at hand here, which is just what a lost one looks like.
ERRORS: list[tuple[Exception, type[MyriadError]]] = [
    (ASSERTED, DeviceLost),
    (RuntimeError("CUDA error: an illegal memory access was encountered"), DeviceLost),
    (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), DeviceLost),
    (RuntimeError("NPU function error: aclrtSynchronizeStream, error code is 507015"), DeviceLost),
    (RuntimeError("UR error (UR_RESULT_ERROR_DEVICE_LOST)"), DeviceLost),
    (RuntimeError("HIP error: unspecified launch failure"), DeviceLost),
    (torch.AcceleratorError("CUDA error: out of memory"), OutOfMemory),
    (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), OutOfMemory),
    (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemory),
    (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), StageFailed),
    (ValueError("CUDA error"), StageFailed),
]


@pytest.mark.parametrize(("error", "kind"), ERRORS, ids=lambda each: str(each)[:40])
def test_each_error_has_its_kind(error: Exception, kind: type[MyriadError]) -> None:
    with pytest.raises(MyriadError) as raised, stage_errors():
        raise error
    assert type(raised.value) is kind


@pytest.mark.skipif(not torch.accelerator.is_available(), reason="no accelerator")
def test_an_error_of_one_call_is_no_loss() -> None:
    assert not is_device_lost(ASSERTED)


class BrokenStopwatch(Stopwatch):
    """Asks a device that fails at everything."""

    def report(self) -> None:
        raise ASSERTED


def test_a_device_lost_between_two_calls_ends_them_and_not_the_process() -> None:
    engine = Engine(stopwatch=BrokenStopwatch())
    try:
        with pytest.raises(torch.AcceleratorError):
            engine.run(lambda: _wait_for_others(engine.hub))
    finally:
        engine.close()


def _wait_for_others(hub: Hub) -> None:
    hub.step_aside()
    raise AssertionError("the device answered")
