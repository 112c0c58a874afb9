"""`python -m tests.tasks.fast_worker POOL`: a real worker process around a runner without a model.

It draws nothing but keeps every rule: progress, control at each step, blobs,
seeds. A prompt of `poison` kills the process, as a crash in a driver would.
"""

import hashlib
import os
import signal
import sys
import time

from myriad.errors import NonFiniteOutput, PromptTooLong
from myriad.farm import open_farm
from myriad.lease import Lease
from myriad.log import set_up_logging
from myriad.pool import find_pool
from myriad.settings import load_settings
from tasks.runner import Control, Picture
from tasks.worker import serve

STEP_S = 0.02


class FastRunner:
    """Every stage takes the job's steps at `STEP_S` each; the picture is a digest of its input."""

    def encode(self, lease: Lease, control: Control) -> bytes:
        if lease.params.prompt == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        if lease.params.prompt == "too long":
            raise PromptTooLong("too long", field="prompt")
        if lease.params.prompt == "memory":
            raise MemoryError
        return f"embeds of {lease.params.prompt}".encode()

    def denoise(self, lease: Lease, blob: bytes, control: Control) -> bytes:
        if lease.params.prompt == "nan":
            raise NonFiniteOutput("not a number")
        steps = lease.params.num_inference_steps
        for step in range(steps):
            time.sleep(STEP_S)
            control.progress(step + 1, steps)
            control.check()
        return b"latents from " + blob

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


if __name__ == "__main__":
    settings = load_settings()
    set_up_logging(settings)
    farm = open_farm(settings)
    serve(farm, find_pool(farm.pools, sys.argv[1]), FastRunner())
