"""`python -m tests.tasks.fast_worker POOL`: a real worker process around a runner without a model.

It draws nothing but keeps every rule: progress, control at each step, blobs,
seeds, previews, checkpoints. Prompts that begin with `slow` take a tenth of a
second a step. Some make trouble: `poison` kills the
process, as a crash in a driver would, `hang` never comes back from a step,
`hungry` needs more memory than a pool called `small…` has, and `assert` breaks the
device, so that from then on every step on it fails.

Each denoising step is a line in `steps.log` under home, so that a test can tell
who did which.
"""

import hashlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from myriad.errors import (
    DeviceLost,
    NonFiniteOutput,
    OutOfMemory,
    Preempted,
    PromptTooLong,
    ShuttingDown,
    Stopped,
)
from myriad.farm import open_farm
from myriad.lease import Lease
from myriad.log import set_up_logging
from myriad.pool import find_pool
from myriad.settings import load_settings
from tasks.runner import Control, Picture
from tasks.worker import serve

STEP_S = 0.02
SLOW_STEP_S = 0.1
STEPS_LOG = "steps.log"


class FastRunner:
    """Every stage takes the job's steps at `STEP_S` each; the picture is a digest of its input.

    It holds one model at a time.

    The state of a denoise is a chain of digests: a step that is left out, or done
    twice, makes another picture.
    """

    def __init__(self, pool: str, home: Path) -> None:
        self._pool = pool
        self._is_device_lost = False
        self.held_models: tuple[str, ...] = ()
        self._log = os.open(home / STEPS_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def encode(self, lease: Lease, inputs: Mapping[str, bytes], control: Control) -> bytes:
        control.check()
        self.held_models = (lease.model,)
        if lease.params.prompt == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        if lease.params.prompt == "too long":
            raise PromptTooLong("too long", field="prompt")
        if lease.params.prompt == "memory":
            raise MemoryError
        if lease.params.prompt.startswith("quote"):
            raise ValueError(f"cannot read {lease.params.prompt!r}")
        return f"embeds of {lease.params.prompt}".encode() + b"".join(inputs.values())

    def denoise(
        self, lease: Lease, blob: bytes, control: Control, checkpoint: bytes | None = None
    ) -> bytes:
        control.check()
        if lease.params.prompt == "nan":
            raise NonFiniteOutput("not a number")
        if lease.params.prompt == "hungry" and self._pool.startswith("small"):
            control.note("tried with fewer rows")
            raise OutOfMemory("too little memory")
        first, state = _load(checkpoint) if checkpoint else (0, b"")
        steps = lease.params.num_inference_steps
        for step in range(first, steps):
            state = self._step(lease, step, state)
            control.progress(step + 1, steps)
            if control.wants_preview():
                control.preview(b"after step %d" % (step + 1))
            if control.wants_checkpoint():
                control.checkpoint(_dump(step + 1, state))
            try:
                control.check()
            except Stopped as why:
                if isinstance(why, (ShuttingDown, Preempted)):
                    control.checkpoint(_dump(step + 1, state))
                raise
        return b"latents from " + blob + state

    def decode(self, lease: Lease, blob: bytes, control: Control) -> list[Picture]:
        control.check()
        return [
            Picture(
                data=hashlib.sha256(blob + str(seed).encode()).digest(),
                content_type="image/png",
                width=lease.params.width,
                height=lease.params.height,
                seed=seed,
            )
            for seed in lease.params.seeds
        ]

    def _step(self, lease: Lease, step: int, state: bytes) -> bytes:
        time.sleep(SLOW_STEP_S if lease.params.prompt.startswith("slow") else STEP_S)
        self._is_device_lost |= lease.params.prompt == "assert"
        if self._is_device_lost:
            raise DeviceLost("CUDA error: device-side assert triggered")
        if lease.params.prompt == "hang":
            time.sleep(3600)
        os.write(self._log, f"{lease.job_id} {lease.attempt} {step}\n".encode())
        return hashlib.sha256(state + step.to_bytes(4, "big")).digest()


def _dump(step: int, state: bytes) -> bytes:
    return step.to_bytes(4, "big") + state


def _load(checkpoint: bytes) -> tuple[int, bytes]:
    return int.from_bytes(checkpoint[:4], "big"), checkpoint[4:]


if __name__ == "__main__":
    settings = load_settings()
    set_up_logging(settings)
    farm = open_farm(settings)
    pool = find_pool(farm.pools, sys.argv[1])
    runner = FastRunner(pool.name, settings.home)
    serve(farm, pool, runner, held_models=lambda: runner.held_models)
