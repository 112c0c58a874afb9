"""Prompts beyond a CLIP encoder's window: encoded window by window, and put in a row.

As in AUTOMATIC1111's web UI and compel: the denoiser attends to all windows'
tokens alike. Every window goes through the pipeline's own `encode_prompt`, with a
tokenizer that shows it that window alone.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from myriad.errors import PromptTooLong
from myriad.family import PROMPT_WINDOWS
from workers.shell import Pipeline

MAX_WINDOWS: Final = PROMPT_WINDOWS

Encoded = tuple[Tensor | None, ...]


def encode_windows(
    pipe: Pipeline,
    texts: Sequence[str],
    tokenizers: Sequence[str],
    encode: Callable[[Pipeline], Encoded],
) -> Encoded:
    """What `encode(pipe)` returns, with every window of `texts` in it.

    Tensors [rows, tokens, width] are joined along the tokens; pooled ones
    [rows, width] are the first window's.
    """
    count = max(_windows(getattr(pipe, name), text) for name in tokenizers for text in texts)
    if count == 1:
        return encode(pipe)
    parts = [encode(_showing(pipe, tokenizers, window)) for window in range(count)]
    return tuple(_join(pieces) for pieces in zip(*parts, strict=True))


def check_windows(field: str, text: str, tokenizer: Any) -> None:
    """Raise PromptTooLong for a text that no number of windows we take would hold."""
    if _windows(tokenizer, text) > MAX_WINDOWS:
        body = tokenizer.model_max_length - 2
        raise PromptTooLong(
            f"is longer than {MAX_WINDOWS * body} tokens, which is the most that is read",
            field=field,
        )


class _WindowTokenizer:
    """Answers with one window of whatever text it is asked for, else like the real one."""

    def __init__(self, tokenizer: Any, window: int) -> None:
        self._tokenizer, self._window = tokenizer, window

    def __call__(self, prompt: str | list[str], **options: Any) -> Any:
        texts = [prompt] if isinstance(prompt, str) else prompt
        shown = [self._shown(text) for text in texts]
        limit = self._tokenizer.model_max_length
        return self._tokenizer.pad(
            {"input_ids": shown}, padding="max_length", max_length=limit, return_tensors="pt"
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def _shown(self, text: str) -> list[int]:
        body, size = _body(self._tokenizer, text), self._tokenizer.model_max_length - 2
        part = body[self._window * size : (self._window + 1) * size]
        return [self._tokenizer.bos_token_id, *part, self._tokenizer.eos_token_id]


def _showing(pipe: Pipeline, tokenizers: Sequence[str], window: int) -> Pipeline:
    shell = copy.copy(pipe)
    for name in tokenizers:
        # Past diffusers' own attribute hook, which registers components by class.
        vars(shell)[name] = _WindowTokenizer(getattr(pipe, name), window)
    return shell


def _body(tokenizer: Any, text: str) -> list[int]:
    """Token ids without the marks of start and end."""
    ids: list[int] = tokenizer(text, truncation=False).input_ids
    return ids[1:-1]


def _windows(tokenizer: Any, text: str) -> int:
    size: int = tokenizer.model_max_length - 2
    return max(1, -(-len(_body(tokenizer, text)) // size))


def _join(pieces: Sequence[Tensor | None]) -> Tensor | None:
    tensors = [piece for piece in pieces if piece is not None]
    if not tensors:
        return None
    return torch.cat(tensors, 1) if tensors[0].ndim == 3 else tensors[0]
