"""What an inpainting pipeline has the VAE encode."""

from diffusers.image_processor import VaeImageProcessor
from torch import Tensor

from workers.conditions import Conditions
from workers.shell import Pipeline


def inpainting_inputs(pipe: Pipeline, conditions: Conditions) -> list[Tensor]:
    """The picture [1, 3, height, width], and with a mask also what is left of it.

    Just as `StableDiffusionInpaintPipeline.__call__` cuts it out.
    """
    if conditions.image is None:
        return []
    image: Tensor = pipe.image_processor.preprocess(conditions.image)
    if conditions.mask is None:
        return [image]
    binarize = VaeImageProcessor(
        vae_scale_factor=pipe.vae_scale_factor,
        do_normalize=False,
        do_binarize=True,
        do_convert_grayscale=True,
    )
    return [image, image * (binarize.preprocess(conditions.mask) < 0.5)]
