"""Text embeddings of the right shape, all zeros, for a pipeline that is only traced."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor

# Where a denoiser's config says how wide the text embeddings are that it takes; first come first.
_WIDTHS: Final = (
    "caption_channels",
    "cap_feat_dim",
    "text_dim",
    "joint_attention_dim",
    "cross_attention_dim",
)
_CLIP_TOKENS: Final = 77


def text_arguments(pipe: Any, denoiser: Any, rows: int, dtype: torch.dtype) -> dict[str, Any]:
    """What `pipe` takes in place of prompts, for `rows` images without guidance.

    Raises LookupError for a denoiser whose config names no width known here.
    """
    parameters = inspect.signature(pipe.__call__).parameters
    config = denoiser.config
    width = next(_first(config[name]) for name in _WIDTHS if config.get(name))
    tokens = _tokens(parameters, type(pipe).__name__)
    embeds = torch.zeros(rows, tokens, width, dtype=dtype)
    # Z-Image takes one tensor a prompt, each of its own length.
    given: dict[str, Any] = {"prompt_embeds": list(embeds) if "cap_feat_dim" in config else embeds}
    if "pooled_prompt_embeds" in parameters:
        given["pooled_prompt_embeds"] = torch.zeros(rows, _pooled(config), dtype=dtype)
    for name in ("prompt_embeds_mask", "prompt_attention_mask"):
        if name in parameters:
            given[name] = _mask(rows, tokens)
    return given


def _first(width: Any) -> int:
    return int(width if isinstance(width, int) else width[0])


def _tokens(parameters: Mapping[str, inspect.Parameter], pipeline: str) -> int:
    if "max_sequence_length" not in parameters:
        return _CLIP_TOKENS
    tokens = int(parameters["max_sequence_length"].default)
    # Stable Diffusion 3 puts CLIP's tokens before those of T5.
    return tokens + _CLIP_TOKENS if pipeline.startswith("StableDiffusion3") else tokens


def _pooled(config: Mapping[str, Any]) -> int:
    if config.get("pooled_projection_dim"):
        return int(config["pooled_projection_dim"])
    # SDXL: what its time and text projection takes, less six numbers about sizes.
    return int(
        config["projection_class_embeddings_input_dim"] - 6 * config["addition_time_embed_dim"]
    )


def _mask(rows: int, tokens: int) -> Tensor:
    """One prompt shorter than the others: pipelines drop a mask that hides nothing."""
    mask = torch.ones(rows, tokens, dtype=torch.bool)
    mask[0, -1] = False
    return mask
