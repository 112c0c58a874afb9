"""The bare things a farm is measured against, each in a process of its own.

`python -m bench.bare pipeline FOLDER STEPS GUIDANCE THREADS` draws one picture
for each line it reads ("SEED PROMPT") and answers with the seconds it took.
`python -m bench.bare flask PORT` serves one route that returns a small JSON body.
"""

import os
import sys
import time


def pipeline(folder: str, steps: int, guidance_scale: float, threads: int) -> None:
    """The stock diffusers pipeline, kept loaded; PNG encoding included, as in the farm."""
    import io

    import torch
    from diffusers import StableDiffusionPipeline

    torch.set_num_threads(threads)
    pipe = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    print("ready", flush=True)
    for line in sys.stdin:
        seed, prompt = line.rstrip("\n").split(" ", 1)
        start = time.perf_counter()
        image = pipe(
            prompt,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=torch.Generator("cpu").manual_seed(int(seed)),
        ).images[0]
        image.save(io.BytesIO(), "PNG")
        print(time.perf_counter() - start, flush=True)


def flask(port: int) -> None:
    """One Flask route under the same server, threads and answer size as the farm's."""
    from flask import Flask, jsonify
    from gunicorn.app.base import BaseApplication

    app = Flask(__name__)
    body = {"id": "0" * 32, "status": "succeeded", "filler": "x" * 1200}
    app.add_url_rule("/jobs", view_func=lambda: jsonify(body), methods=["POST"])

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            for name, value in {
                "bind": f"127.0.0.1:{port}",
                "worker_class": "gthread",
                "threads": 16,
                "loglevel": "warning",
            }.items():
                self.cfg.set(name, value)

        def load(self) -> Flask:
            return app

    Server().run()


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    if sys.argv[1] == "pipeline":
        pipeline(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
    else:
        flask(int(sys.argv[2]))
