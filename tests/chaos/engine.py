"""The deterministic stage runner that stands in for a model, and what its pictures must be."""

import hashlib
import os
import signal
import time
from collections.abc import Mapping

from myriad.lease import Lease
from tasks.runner import Control, Picture
from tests.tasks.fast_worker import FastRunner

STEP_S = 0.01
POISON = "poison"
LATE_POISON = "late poison"
RAISES = "raises"


class ChaosRunner(FastRunner):
    """Prompts that begin with `poison` kill their worker, `late poison` in mid-denoise.

    `raises` is a bug in a model. Everything else ends in a picture that any step
    left out, done twice or read from a damaged blob would change.
    """

    def __init__(self) -> None:
        """Nothing is written down: the database tells who did what."""

    def encode(self, lease: Lease, inputs: Mapping[str, bytes], control: Control) -> bytes:
        control.check()
        if lease.params.prompt.startswith(POISON):
            os.kill(os.getpid(), signal.SIGKILL)
        return _embeds(lease.params.prompt)

    def denoise(
        self, lease: Lease, blob: bytes, control: Control, checkpoint: bytes | None = None
    ) -> bytes:
        if lease.params.prompt.startswith(RAISES):
            raise RuntimeError("a bug in the model")
        return super().denoise(lease, blob, control, checkpoint)

    def decode(self, lease: Lease, blob: bytes, control: Control) -> list[Picture]:
        control.check()
        width, height = lease.params.width, lease.params.height
        return [
            Picture(_draw(blob, seed), "image/png", width, height, seed)
            for seed in lease.params.seeds
        ]

    def _step(self, lease: Lease, step: int, state: bytes) -> bytes:
        time.sleep(STEP_S)
        if lease.params.prompt.startswith(LATE_POISON):
            os.kill(os.getpid(), signal.SIGKILL)
        return _next(state, step)


def expected_sha256(prompt: str, steps: int, seed: int) -> str:
    """Digest of the one right picture."""
    state = b""
    for step in range(steps):
        state = _next(state, step)
    picture = _draw(b"latents from " + _embeds(prompt) + state, seed)
    return hashlib.sha256(picture).hexdigest()


def _embeds(prompt: str) -> bytes:
    return f"embeds of {prompt}".encode()


def _next(state: bytes, step: int) -> bytes:
    return hashlib.sha256(state + step.to_bytes(4, "big")).digest()


def _draw(blob: bytes, seed: int) -> bytes:
    return hashlib.sha256(blob + str(seed).encode()).digest()
