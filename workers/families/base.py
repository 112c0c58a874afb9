"""What a family knows: which components a stage needs, and how each stage calls diffusers."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import diffusers
import torch
from PIL.Image import Image
from torch import Tensor

from myriad.errors import NonFiniteOutput, PromptTooLong
from myriad.job import Stage
from myriad.params import GenerationParams
from workers.batching.call import UNET, CallSpec

# diffusers ships no types: a pipeline is Any here, and its calls are what the tests prove.
Pipeline = Any
Embeds = Mapping[str, Tensor | None]
StepHook = Callable[[int, int], None]


class Family(ABC):
    """One architecture line. Stateless: what is loaded comes in as `pipe`.

    The stages together do exactly what one call of the stock pipeline does;
    each may live in another process, with only its own `components` loaded.
    """

    pipeline: ClassVar[Any]
    components: ClassVar[Mapping[Stage, tuple[str, ...]]]
    # Modules at which requests may meet, and how to read their calls.
    meeting_points: ClassVar[Mapping[str, CallSpec]] = {"unet": UNET}
    # Constructor arguments beside the components.
    options: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def encode(self, pipe: Pipeline, params: GenerationParams, device: torch.device) -> Embeds:
        """Embeddings under the names the pipeline's call takes them by, one row each."""

    @abstractmethod
    def unscale(self, vae: Any, latents: Tensor) -> Tensor:
        """Latents as the denoiser leaves them → as the VAE's decoder takes them."""

    def check_length(self, pipe: Pipeline, params: GenerationParams) -> None:
        """Raise PromptTooLong rather than let the text encoder drop the end of a prompt."""
        texts = {"prompt": params.prompt}
        if params.guidance_scale > 1:
            texts["negative_prompt"] = params.negative_prompt
        names = self.components[Stage.ENCODE]
        tokenizers = [getattr(pipe, name) for name in names if name.startswith("tokenizer")]
        for field, text in texts.items():
            for tokenizer in tokenizers:
                _check_text(field, text, tokenizer)

    def denoise(
        self, pipe: Pipeline, params: GenerationParams, embeds: Embeds, on_step: StepHook
    ) -> Tensor:
        """Embeddings → latents [num_images, channels, height / scale, width / scale].

        Calls `on_step(done, total)` after each step; what it raises ends the call
        and leaves `pipe` as it was. Raises NonFiniteOutput.
        """

        def after_step(
            running: Pipeline, step: int, timestep: Tensor, tensors: dict[str, Tensor]
        ) -> dict[str, Tensor]:
            on_step(step + 1, running.num_timesteps)
            return {}

        shell = copy.copy(pipe)  # shares the modules, owns its scheduler and call state
        scheduler = getattr(diffusers, params.scheduler)
        shell.scheduler = scheduler.from_config(pipe.scheduler.config)
        latents: Tensor = shell(
            **{name: _like(pipe.unet, tensor) for name, tensor in embeds.items()},
            height=params.height,
            width=params.width,
            num_inference_steps=params.num_inference_steps,
            guidance_scale=params.guidance_scale,
            num_images_per_prompt=params.num_images,
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in params.seeds],
            output_type="latent",
            return_dict=False,
            callback_on_step_end=after_step,
            callback_on_step_end_tensor_inputs=[],
        )[0]
        return finite(latents, "latents")

    def decode(self, pipe: Pipeline, latents: Tensor) -> Iterator[Image]:
        """Latents → RGB images, one at a time, so that memory does not grow with their number."""
        for latent in latents.chunk(len(latents)):
            scaled = self.unscale(pipe.vae, _like(pipe.vae, latent))
            pixels = finite(pipe.vae.decode(scaled, return_dict=False)[0], "pixels")
            yield pipe.image_processor.postprocess(pixels, output_type="pil")[0]


def finite(tensor: Tensor, name: str) -> Tensor:
    """`tensor` unchanged, or NonFiniteOutput if a value is NaN or infinite."""
    if not torch.isfinite(tensor).all():
        raise NonFiniteOutput(f"the model's {name} hold NaN or infinity; try precision fp32")
    return tensor


def _like(module: Any, tensor: Tensor | None) -> Any:
    """`tensor` on the module's device and in its dtype: pools may differ in both."""
    return None if tensor is None else tensor.to(module.device, module.dtype)


def _check_text(field: str, text: str, tokenizer: Any) -> None:
    length, limit = len(tokenizer(text).input_ids), tokenizer.model_max_length
    if length > limit:
        raise PromptTooLong(
            f"is {length} tokens long with its start and end marks; this model reads {limit}",
            field=field,
        )
