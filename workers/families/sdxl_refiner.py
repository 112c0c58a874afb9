"""The refiner of Stable Diffusion XL: image-to-image only, with the second text encoder alone."""

from typing import Any, ClassVar

from diffusers import StableDiffusionXLImg2ImgPipeline

from myriad.job import Stage
from myriad.mode import Mode
from myriad.params import GenerationParams
from workers.families.sdxl import StableDiffusionXL


class StableDiffusionXLRefiner(StableDiffusionXL):
    """Takes over from latents; it has no VAE of its own to load."""

    pipelines: ClassVar = {Mode.IMAGE_TO_IMAGE: StableDiffusionXLImg2ImgPipeline}
    components: ClassVar = {
        Stage.ENCODE: ("tokenizer_2", "text_encoder_2"),
        Stage.DENOISE: ("unet", "scheduler"),
        Stage.DECODE: (),
    }

    def kind(self, params: GenerationParams) -> Any:
        return self.pipeline
