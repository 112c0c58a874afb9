"""Modular Diffusers' blocks: which belong to which stage, and how they are run."""

import copy
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from diffusers.modular_pipelines.modular_pipeline import (
    LoopSequentialPipelineBlocks,
    ModularPipelineBlocks,
    SequentialPipelineBlocks,
)
from torch import Tensor

from myriad.errors import ModelNotLoadable
from myriad.job import Stage
from workers.shell import Pipeline

# diffusers ships no types: blocks are Any here, and what they do is what the tests prove.
Blocks = Any
# A pipeline's `callback_on_step_end`.
Callback = Callable[..., dict[str, Tensor]]

_DENOISE = "denoise"
_CONDITIONS = "denoiser_input_fields"


def divide(blocks: Blocks) -> dict[Stage, Blocks]:
    """The blocks that draw a picture from a prompt: before `denoise`, `denoise`, and after.

    Raises ModelNotLoadable for blocks that are not made that way.
    """
    parts: dict[Stage, dict[str, Blocks]] = {stage: {} for stage in Stage}
    now = Stage.ENCODE
    for name, block in blocks.get_execution_blocks(prompt=True).sub_blocks.items():
        if name.partition(".")[0] == _DENOISE:
            now = Stage.DENOISE
        elif now is Stage.DENOISE:
            now = Stage.DECODE
        parts[now][name] = block
    if not all(parts.values()):
        raise ModelNotLoadable("its blocks do not encode, then denoise, then decode")
    return {stage: SequentialPipelineBlocks.from_blocks_dict(own) for stage, own in parts.items()}


def run(pipe: Pipeline, blocks: Blocks, arguments: Mapping[str, Any]) -> Any:
    """Run `blocks` with the components of `pipe`; returns their state.

    Of the `arguments` they get what they take by name; tensors that none of them
    names are conditions for the denoiser, if they take such.
    """
    own = copy.copy(pipe)
    own._blocks = blocks
    names = set(blocks.input_names)
    named = {name: value for name, value in arguments.items() if name in names}
    conditions = {
        name: value
        for name, value in arguments.items()
        if name not in names and isinstance(value, Tensor)
    }
    if conditions and any(each.kwargs_type == _CONDITIONS for each in blocks.inputs):
        named[_CONDITIONS] = conditions
    return own(**named)


def watched(blocks: Blocks, callback: Callback) -> Blocks:
    """A copy of `blocks` that calls back after each step of a loop, as a pipeline would."""
    own = copy.deepcopy(blocks)
    for loop in _loops(own):
        loop.set_progress_bar_config(disable=True)
        loop.sub_blocks["watch"] = _AfterStep(callback)
    return own


class _AfterStep(ModularPipelineBlocks):
    """The last block of a loop."""

    def __init__(self, callback: Callback) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._callback, self._done = callback, 0

    def __call__(self, components: Any, block_state: Any, **step: Any) -> tuple[Any, Any]:
        running = SimpleNamespace(
            num_timesteps=len(block_state.timesteps), scheduler=components.scheduler
        )
        replaced = self._callback(
            running, self._done, step.get("t"), {"latents": block_state.latents}
        )
        block_state.latents = replaced.get("latents", block_state.latents)
        self._done += 1
        return components, block_state


def _loops(block: Blocks) -> Iterator[Blocks]:
    if isinstance(block, LoopSequentialPipelineBlocks):
        yield block
        return
    for inner in block.sub_blocks.values():
        yield from _loops(inner)
