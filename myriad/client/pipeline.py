"""A model of a farm, called as a diffusers pipeline is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from myriad.client.client import Client
from myriad.client.flows import OnProgress
from myriad.client.picture import Picture
from myriad.client.result import Result
from myriad.client.seeds import seeds_of, split
from myriad.errors import InvalidRequest, MyriadError

if TYPE_CHECKING:
    from PIL.Image import Image


class PipelineOutput(NamedTuple):
    """As diffusers' own, or its tuple: the pictures, and which the safety checker took out."""

    images: "list[Image]"
    nsfw_content_detected: list[bool]


class RemotePipeline:
    """Draws on the farm at `url` what a local diffusers pipeline of its `model` draws.

    With `controlnets`, `image` is the picture that they follow, unless `control_image`
    has that; then, as in diffusers, `image` is the one to start from.

    The same seed gives the same picture as a local pipeline with a generator on the CPU.
    Of a generator only its seed is known: make a new one for each call, as one that was
    drawn from before cannot be told from a fresh one. Picture number i of a call is drawn
    from seed + i, as locally with a list of generators, one for each picture; one
    generator for several pictures draws only the first of them so.

    What is left out is the farm's default for the model, not diffusers'. Needs Pillow.
    """

    def __init__(
        self,
        url: str,
        model: str,
        key: str | None = None,
        *,
        controlnets: Sequence[str] = (),
    ) -> None:
        self._client = Client(url, key)
        self._model = model
        self._controlnets = controlnets

    def __call__(
        self,
        prompt: str | list[str],
        *,
        negative_prompt: str | list[str] | None = None,
        image: Picture | None = None,
        mask_image: Picture | None = None,
        control_image: Picture | Sequence[Picture] | None = None,
        controlnet_conditioning_scale: float | list[float] | None = None,
        num_images_per_prompt: int = 1,
        generator: Any = None,
        output_type: str = "pil",
        return_dict: bool = True,  # the output is a tuple either way
        on_progress: OnProgress | None = None,
        **params: Any,
    ) -> PipelineOutput:
        """Draw. `params` are `height`, `width`, `num_inference_steps`, `guidance_scale`,
        `strength` and any other field of a job; one that the farm does not know is refused.

        `on_progress` is called with the job, or the batch of several, as it moves; Ctrl-C,
        or an exception in there, cancels what was asked for.

        Raises what a job failed of, InvalidRequest, and Unavailable when the farm is away
        for longer than `Client` bears it: the work goes on there.
        """
        if output_type != "pil":
            raise InvalidRequest("must be pil: the farm sends pictures", field="output_type")
        if self._controlnets:
            image, params["controlnets"] = self._followed(
                image, control_image, controlnet_conditioning_scale
            )
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        negatives = split(negative_prompt, len(prompts), "negative_prompt")
        seeds = iter(seeds_of(generator, len(prompts) * num_images_per_prompt))
        shared = {"model": self._model, "image": image, "mask": mask_image, **params}
        jobs = [
            {**shared, "prompt": text, "negative_prompt": negative, "seed": next(seeds)}
            for text, negative in zip(prompts, negatives, strict=True)
            for _ in range(num_images_per_prompt)
        ]
        return _output(self._drawn(jobs, on_progress))

    def to(self, *_: Any, **__: Any) -> "RemotePipeline":
        """Itself: the farm decides on what and how it computes."""
        return self

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def __enter__(self) -> "RemotePipeline":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _followed(
        self, image: Any, control_image: Any, scale: Any
    ) -> tuple[Picture | None, list[dict[str, Any]]]:
        """The picture to start from, if there is one, and the job's `controlnets`."""
        count = len(self._controlnets)
        start, followed = (None, image) if control_image is None else (image, control_image)
        pictures = split(followed, count, "control_image", "ControlNets")
        scales = split(scale, count, "controlnet_conditioning_scale", "ControlNets")
        return start, [
            {"model": name, "image": picture, "scale": each}
            for name, picture, each in zip(self._controlnets, pictures, scales, strict=True)
        ]

    def _drawn(
        self, jobs: Sequence[Mapping[str, Any]], on_progress: OnProgress | None
    ) -> list[Result]:
        """Each job's picture. Who interrupts the wait for them cancels them."""
        client = self._client
        if len(jobs) == 1:
            job = client.submit(**jobs[0])
            with _canceling(partial(client.cancel, job["id"]), on_progress) as told:
                return [client.result(client.wait(job["id"], told))]
        batch_id = client.batch(jobs)["id"]
        with _canceling(partial(client.cancel_batch, batch_id), on_progress) as told:
            client.wait_batch(batch_id, told)
        ended = list(client.jobs(batch=batch_id))
        return [client.result(job) for job in reversed(ended)]


@contextmanager
def _canceling(cancel: Callable[[], Any], on_progress: OnProgress | None) -> Iterator[OnProgress]:
    """Cancel when the caller ends it: by Ctrl-C, or by what `on_progress` raises.

    What the client raises itself cancels nothing: the farm goes on while nobody hears it.
    """

    def told(now: dict[str, Any]) -> None:
        if on_progress:
            with _cancels(cancel, Exception):
                on_progress(now)

    with _cancels(cancel, KeyboardInterrupt, SystemExit):
        yield told


@contextmanager
def _cancels(cancel: Callable[[], Any], *kinds: type[BaseException]) -> Iterator[None]:
    """Cancel what is under way at these exceptions, as far as that can be done."""
    try:
        yield
    except kinds:
        with suppress(MyriadError):
            cancel()
        raise


def _output(results: Sequence[Result]) -> PipelineOutput:
    images = [image for result in results for image in result.images]
    flagged = [image["flagged"] for result in results for image in result.job["output"]]
    return PipelineOutput(images, flagged)
