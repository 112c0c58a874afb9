"""What pipelines of flow matching have in common: one row an image, of all they are given."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from myriad.errors import PromptTooLong
from myriad.params import GenerationParams
from workers.conditions import Embeds
from workers.families.base import Family
from workers.families.rows import repeated
from workers.shell import Pipeline


class FlowFamily(Family):
    """A family whose pipeline takes embeddings for so many images as they have rows.

    These pipelines repeat embeddings that are handed in by halves or not at all, and
    draw from the first generator for all of several images that start from one
    picture. Given everything once an image, image i is that of its own seed.
    """

    # Tokens its text encoder reads; the rest of a prompt would be dropped.
    max_tokens: ClassVar[int]
    # The tokenizer that counts them.
    tokenizer: ClassVar[str] = "tokenizer"

    def texts(self, params: GenerationParams) -> dict[str, str]:
        """The texts to encode, by the field they come from."""
        texts = {"prompt": params.prompt}
        if params.guidance_scale > 1:
            texts["negative_prompt"] = params.negative_prompt
        return texts

    def count_tokens(self, pipe: Pipeline, text: str) -> int:
        """Of the text as the encoder will read it, with marks and template."""
        return len(getattr(pipe, self.tokenizer)(text).input_ids)

    def check_length(self, pipe: Pipeline, params: GenerationParams) -> None:
        for field, text in self.texts(params).items():
            length = self.count_tokens(pipe, text)
            if length > self.max_tokens:
                raise PromptTooLong(
                    f"is {length} tokens long with all that is put around it;"
                    f" this model reads {self.max_tokens}",
                    field=field,
                )

    def arguments(self, params: GenerationParams) -> dict[str, Any]:
        return {**super().arguments(params), "num_images_per_prompt": 1}

    def to_call(self, embeds: Embeds, params: GenerationParams) -> Embeds:
        return repeated(embeds, params.num_images)

    def call(self, shell: Pipeline, arguments: Mapping[str, Any]) -> Tensor:
        if (image := arguments.get("image")) is not None:
            arguments = {**arguments, "image": [image] * len(arguments["generator"])}
        return super().call(shell, arguments)


def shifted(vae: Any, latents: Tensor) -> Tensor:
    """Latents as a flow model has them → as its AutoencoderKL's decoder takes them."""
    scaled: Tensor = latents / vae.config.scaling_factor + vae.config.shift_factor
    return scaled
