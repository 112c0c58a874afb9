"""Any other model, through Modular Diffusers blocks: its folder says which, diffusers has them."""

import copy
import logging
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from diffusers import ModularPipeline
from torch import Tensor

from myriad.errors import ModelNotLoadable, StageFailed
from myriad.job import Stage
from myriad.mode import Mode
from myriad.params import GenerationParams
from workers.conditions import Embeds
from workers.families.base import Family, Frames, check_text, encoded_texts, like
from workers.modular_blocks import Blocks, run, watched
from workers.shell import Pipeline

_DENOISERS = ("transformer", "unet")
# Each guider, and each request has its own, says that it is experimental.
logging.getLogger("diffusers.guiders").setLevel(logging.ERROR)


class Modular(Family):
    """A request runs by itself: how calls of an unknown model may be joined, nobody knows.

    `pipe.stage_blocks` holds the blocks of each stage it was loaded for.
    """

    pipelines: ClassVar = {Mode.TEXT_TO_IMAGE: ModularPipeline}
    # Which they are depends on the blocks.
    components: ClassVar = dict.fromkeys(Stage, ())
    meeting_points: ClassVar = {}
    has_previews: ClassVar = False

    def denoiser(self, pipe: Pipeline) -> Any:
        for name in _DENOISERS:
            if (module := getattr(pipe, name, None)) is not None:
                return module
        raise ModelNotLoadable("its blocks have neither a transformer nor a unet")

    def upcasts_vae(self, pipe: Pipeline) -> bool:
        stages = pipe.stage_blocks.values()
        used = (block for blocks in stages for block in blocks.sub_blocks.values())
        return any(hasattr(block, "upcast_vae") for block in used)

    def encode(self, pipe: Pipeline, params: GenerationParams, device: torch.device) -> Embeds:
        blocks = pipe.stage_blocks[Stage.ENCODE]
        texts = {"prompt": params.prompt, "negative_prompt": params.negative_prompt or None}
        state = run(_guided(pipe, params.guidance_scale), blocks, texts)
        made = {name: state.get(name) for name in blocks.intermediate_output_names}
        return {name: value for name, value in made.items() if value is not None}

    def call(self, shell: Pipeline, arguments: Mapping[str, Any]) -> Tensor:
        callback = arguments["callback_on_step_end"]
        blocks = watched(shell.stage_blocks[Stage.DENOISE], callback)
        state = run(_guided(shell, arguments["guidance_scale"]), blocks, arguments)
        latents: Tensor = state.get("latents")
        return latents

    def decode(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Iterator[Frames]:
        blocks = pipe.stage_blocks[Stage.DECODE]
        for latent in latents.chunk(len(latents)):
            own = {"latents": like(pipe.vae, latent), "output_type": "pil"}
            images = run(pipe, blocks, self.arguments(params) | own).get("images")
            if not images:
                raise StageFailed("its blocks make no images")
            yield list(images)

    def to_vae(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Tensor:
        """As they are: the blocks of the decode stage scale them."""
        return latents

    def check_length(self, pipe: Pipeline, params: GenerationParams) -> None:
        """Raise PromptTooLong for a text that no tokenizer reads to its end."""
        limits = {
            tokenizer: _limit(pipe.stage_blocks[Stage.ENCODE], tokenizer)
            for name, tokenizer in pipe.components.items()
            if name.startswith("tokenizer") and tokenizer is not None
        }
        if limits:
            tokenizer, limit = max(limits.items(), key=lambda pair: pair[1])
            for field, text in encoded_texts(params).items():
                check_text(field, text, tokenizer, limit)


def _guided(pipe: Pipeline, guidance_scale: float) -> Pipeline:
    """A copy with a guider of its own, if it has one: a guider knows at which step it is."""
    own = copy.copy(pipe)
    guider = getattr(pipe, "guider", None)
    if guider is not None and "guidance_scale" in guider.config:
        # To a pipeline everything below 1 means none; to a guider, exactly 1.
        own.guider = guider.new(guidance_scale=max(1.0, guidance_scale))
    return own


def _limit(blocks: Blocks, tokenizer: Any) -> int:
    """Tokens that are read: the tokenizer's own number, or what the blocks cut to."""
    cuts = [each.default for each in blocks.inputs if each.name == "max_sequence_length"]
    return min(int(tokenizer.model_max_length), *(int(cut) for cut in cuts if cut), 2**31)
