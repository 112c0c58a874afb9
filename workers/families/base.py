"""What a family knows: which components a stage needs, and how each stage calls diffusers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from PIL.Image import Image
from torch import Tensor

from myriad.errors import NonFiniteOutput, PromptTooLong
from myriad.job import Stage
from myriad.mode import Mode
from myriad.params import GenerationParams
from workers.batching.call import CallSpec
from workers.conditions import Conditions, Embeds
from workers.shell import Pipeline, call_arguments

Frames = list[Image]


class Family(ABC):
    """One architecture line. Stateless: what is loaded comes in as `pipe`.

    The stages together do exactly what one call of the stock pipeline does;
    each may live in another process, with only its own `components` loaded.
    """

    # The class that runs each mode; the first is the one a model's folder names.
    pipelines: ClassVar[Mapping[Mode, Any]]
    # The same where ControlNets steer.
    controlled: ClassVar[Mapping[Mode, Any]] = {}
    # How to read the calls of a ControlNet.
    controlnet: ClassVar[CallSpec] = CallSpec()
    components: ClassVar[Mapping[Stage, tuple[str, ...]]]
    # Modules at which requests may meet, the denoiser first, and how to read their calls.
    meeting_points: ClassVar[Mapping[str, CallSpec]]
    # How to read calls of its VAE's `decode`; None: each runs by itself.
    decoder: ClassVar[CallSpec | None] = CallSpec(rows="z", timestep=None)
    # Whether `to_vae` needs no more of the VAE than its config.
    has_previews: ClassVar[bool] = True
    # Buffers of the VAE that the denoiser's pipeline reads, by their names in its weights.
    vae_buffers: ClassVar[tuple[str, ...]] = ()
    # Constructor arguments beside the components.
    options: ClassVar[Mapping[str, Any]] = {}

    @property
    def pipeline(self) -> Any:
        """The class that a model's folder names."""
        return next(iter(self.pipelines.values()))

    def kind(self, params: GenerationParams) -> Any:
        """The class of pipeline that runs this request."""
        return (self.controlled if params.controlnets else self.pipelines)[params.mode]

    def denoiser(self, pipe: Pipeline) -> Any:
        """The module whose device and dtype everything else follows."""
        return getattr(pipe, next(iter(self.meeting_points)))

    @abstractmethod
    def encode(self, pipe: Pipeline, params: GenerationParams, device: torch.device) -> Embeds:
        """Embeddings under the names the pipeline's call takes them by, one row each."""

    @abstractmethod
    def to_vae(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Tensor:
        """Latents as the denoiser leaves them → as the VAE's decoder takes them."""

    def arguments(self, params: GenerationParams) -> dict[str, Any]:
        """What the pipeline's call is told beside embeddings, pictures, generators and hooks.

        Names that the class of the mode does not take are left out afterwards.
        """
        strength = {} if params.strength is None else {"strength": params.strength}
        return strength | {
            "height": params.height,
            "width": params.width,
            "num_inference_steps": params.num_inference_steps,
            "guidance_scale": params.guidance_scale,
            "num_images_per_prompt": params.num_images,
        }

    def upcasts_vae(self, pipe: Pipeline) -> bool:
        """Whether the pipeline heeds `force_upcast`, which the config of any AutoencoderKL has."""
        return hasattr(pipe, "upcast_vae")

    def to_call(self, embeds: Embeds, params: GenerationParams) -> Embeds:
        """Embeddings as they travel → as the call takes them: some want a row an image."""
        return embeds

    def call(self, shell: Pipeline, arguments: Mapping[str, Any]) -> Tensor:
        """Run the pipeline; latents as it leaves them, one row an image."""
        latents: Tensor = shell(**call_arguments(shell, arguments))[0]
        return latents

    def lora_options(self, pipe: Pipeline) -> Mapping[str, Any]:
        """What the pipeline's `lora_state_dict` must know of the model."""
        return {}

    def vae_inputs(self, pipe: Pipeline, conditions: Conditions) -> list[Tensor]:
        """Every picture the pipeline will ask the VAE to encode, as it will hand it in."""
        if conditions.image is None:
            return []
        image: Tensor = pipe.image_processor.preprocess(conditions.image)
        return [image]

    def check_length(self, pipe: Pipeline, params: GenerationParams) -> None:
        """Raise PromptTooLong rather than let the text encoder drop the end of a prompt."""
        names = self.components[Stage.ENCODE]
        tokenizers = [getattr(pipe, name) for name in names if name.startswith("tokenizer")]
        for field, text in encoded_texts(params).items():
            for tokenizer in tokenizers:
                check_text(field, text, tokenizer, tokenizer.model_max_length)

    def decode(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Iterator[Frames]:
        """Latents → the frames of each image, one image at a time, so that memory stays put."""
        for latent in latents.chunk(len(latents)):
            scaled = self.to_vae(pipe, like(pipe.vae, latent), params)
            pixels = pipe.vae.decode(scaled.to(pipe.vae.dtype), return_dict=False)[0]
            yield self.frames(pipe, finite(pixels, "pixels"))

    def frames(self, pipe: Pipeline, pixels: Tensor) -> Frames:
        """One image's pixels as the VAE leaves them → RGB, one for a picture."""
        pictures: Frames = pipe.image_processor.postprocess(pixels, output_type="pil")
        return pictures


def encoded_texts(params: GenerationParams) -> dict[str, str]:
    """The texts an encoder will see, by the field they come from."""
    texts = {"prompt": params.prompt}
    return texts | (
        {"negative_prompt": params.negative_prompt} if params.guidance_scale > 1 else {}
    )


def finite(tensor: Tensor, name: str) -> Tensor:
    """`tensor` unchanged, or NonFiniteOutput if a value is NaN or infinite."""
    if not torch.isfinite(tensor).all():
        raise NonFiniteOutput(f"the model's {name} hold NaN or infinity; try precision fp32")
    return tensor


def upcast_if_it_overflows(family: Family, pipe: Pipeline) -> None:
    """The VAE to float32 for good, where its config says that float16 does not hold its numbers.

    Before anybody uses it: who waits for a turn at it has made its latents of the VAE's type.
    """
    vae: Any = getattr(pipe, "vae", None)
    is_half = getattr(vae, "dtype", None) is torch.float16
    if is_half and family.upcasts_vae(pipe) and getattr(vae.config, "force_upcast", False):
        vae.to(torch.float32)


def like(module: Any, value: Any) -> Any:
    """Tensors on the module's device and, if they are fractions, in its dtype: pools may differ."""
    # Asked once: a module looks through all its layers for either.
    return _placed(value, module.device, module.dtype)


def _placed(value: Any, device: torch.device, dtype: torch.dtype) -> Any:
    if isinstance(value, Tensor):
        return value.to(device, dtype if value.is_floating_point() else value.dtype)
    if isinstance(value, Mapping):
        return {name: _placed(item, device, dtype) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_placed(item, device, dtype) for item in value]
    return value


def check_text(field: str, text: str, tokenizer: Any, limit: int) -> None:
    """Raise PromptTooLong if `text` has more tokens than `limit`, marks included."""
    length = len(tokenizer(text).input_ids)
    if length > limit:
        raise PromptTooLong(
            f"is {length} tokens long with its start and end marks; this model reads {limit}",
            field=field,
        )
