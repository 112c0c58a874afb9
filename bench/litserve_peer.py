"""The peer of `bench.serve`: LitServe over the stock pipeline, with dynamic batching.

`python -m bench.litserve_peer FOLDER PORT THREADS BATCH` serves `POST /predict` with
{"prompt", "seed", "num_inference_steps"} and answers with a PNG, until its standard
input ends or it is told to stop.

A stock call takes one step count, so a batch is drawn in groups of equal step counts:
every picture is the one that was asked for. Padding all to the largest count would draw
other pictures, and is no faster here: 30 steps for 8 rows against 10, 20 and 30 for few.
"""

import io
import os
import signal
import sys
import threading
from typing import Any

import litserve
from fastapi import Response

GUIDANCE_SCALE = 3.5
BATCH_WAIT_S = 0.02
"""How long a batch waits for company; 0 would make LitServe's loop spin on a core."""


class StockPipeline(litserve.LitAPI):
    """StableDiffusionPipeline as diffusers ships it, whole batches a call."""

    def __init__(self, folder: str, threads: int, batch: int) -> None:
        super().__init__(max_batch_size=batch, batch_timeout=BATCH_WAIT_S)
        self._folder, self._threads = folder, threads

    def setup(self, device: str) -> None:
        """In the inference process, before it takes requests."""
        import torch
        from diffusers import StableDiffusionPipeline

        torch.set_num_threads(self._threads)
        self._pipe = StableDiffusionPipeline.from_pretrained(self._folder, dtype=torch.float32)
        self._pipe.set_progress_bar_config(disable=True)

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        return request

    def batch(self, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return inputs

    def predict(self, asked: list[dict[str, Any]]) -> list[Any]:
        """Pictures in the order asked for; one stock call for each step count."""
        pictures: list[Any] = [None] * len(asked)
        for steps in {one["num_inference_steps"] for one in asked}:
            places = [i for i, one in enumerate(asked) if one["num_inference_steps"] == steps]
            drawn = self._draw([asked[i] for i in places], steps)
            for place, picture in zip(places, drawn, strict=True):
                pictures[place] = picture
        return pictures

    def unbatch(self, output: list[Any]) -> list[Any]:
        return output

    def encode_response(self, output: Any) -> Response:
        png = io.BytesIO()
        output.save(png, "PNG")
        return Response(content=png.getvalue(), media_type="image/png")

    def _draw(self, asked: list[dict[str, Any]], steps: int) -> list[Any]:
        import torch

        pictures: list[Any] = self._pipe(
            [one["prompt"] for one in asked],
            num_inference_steps=steps,
            guidance_scale=GUIDANCE_SCALE,
            generator=[torch.Generator("cpu").manual_seed(one["seed"]) for one in asked],
        ).images
        return pictures


def main(folder: str, port: int, threads: int, batch: int) -> None:
    """Serve until told to stop; whoever started us going away counts as that."""
    threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    server = litserve.LitServer(
        StockPipeline(folder, threads, batch), accelerator="cpu", workers_per_device=1
    )
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning")


def _stop_at_end_of_input() -> None:
    while os.read(0, 1024):  # not sys.stdin: its lock, held here, would stop every fork
        pass
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    main(sys.argv[1], *(int(word) for word in sys.argv[2:5]))
