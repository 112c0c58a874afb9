"""The denoise stage: one call of the family's pipeline, watched at every step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from myriad.params import GenerationParams
from workers.adapters.controlnets import control_arguments
from workers.conditions import Conditions
from workers.families.base import finite, like
from workers.loaded import LoadedModel
from workers.shell import Pipeline, open_shell


@dataclass(frozen=True)
class Step:
    """Where a request stands after a step: `done` of `total`, its latents and its scheduler."""

    done: int
    total: int
    latents: Tensor
    scheduler: Any


@dataclass(frozen=True)
class Part:
    """One model's share of a run: what the call is told of it, and the steps before, of `total`."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    offset: int = 0
    total: int | None = None


# What it returns takes the place of the latents; what it raises ends the request.
StepHook = Callable[[Step], Tensor | None]


def denoise(
    loaded: LoadedModel,
    params: GenerationParams,
    conditions: Conditions,
    on_step: StepHook,
    *,
    generators: list[torch.Generator] | None = None,
    part: Part = Part(),
) -> Tensor:
    """Conditions → latents as the pipeline leaves them, one row an image.

    Calls `on_step` after each step; what it raises ends the call and leaves
    everything that is shared as it was. Raises NonFiniteOutput.
    """
    with loaded.additions.in_denoising(params) as controlnet:
        shell = _open(loaded, params, conditions, controlnet)
        denoiser = loaded.family.denoiser(loaded.pipe)
        embeds = loaded.family.to_call(conditions.embeds, params)
        arguments = {
            **loaded.family.arguments(params),
            **like(denoiser, embeds),
            **_pictures(conditions),
            **_controls(shell, params, conditions),
            "generator": generators or new_generators(params),
            "output_type": "latent",
            "return_dict": False,
            "callback_on_step_end": _callback(on_step, part),
            "callback_on_step_end_tensor_inputs": ["latents"],
            **part.arguments,
        }
        return finite(loaded.family.call(shell, arguments), "latents")


def new_generators(params: GenerationParams) -> list[torch.Generator]:
    """One an image, on the CPU: noise then depends on neither device nor batch."""
    return [torch.Generator("cpu").manual_seed(seed) for seed in params.seeds]


def _open(
    loaded: LoadedModel, params: GenerationParams, conditions: Conditions, controlnet: Any
) -> Pipeline:
    pipe = loaded.pipeline_for(params)
    asked = loaded.family.vae_inputs(pipe, conditions)
    recorded = list(zip(asked, conditions.moments, strict=True))
    own = {"vae": loaded.vae_stand_in.with_encodings(recorded)}
    if controlnet is not None:
        own["controlnet"] = controlnet
    return open_shell(pipe, params.scheduler, **own)


def _pictures(conditions: Conditions) -> dict[str, Any]:
    pictures = {"image": conditions.image, "mask_image": conditions.mask}
    return {name: picture for name, picture in pictures.items() if picture is not None}


def _controls(shell: Pipeline, params: GenerationParams, conditions: Conditions) -> dict[str, Any]:
    scales = [use.scale for use in params.controlnets]
    return control_arguments(type(shell), conditions.controls, scales) if scales else {}


def _callback(on_step: StepHook, part: Part) -> Callable[..., dict[str, Tensor]]:
    def after_step(
        running: Pipeline, index: int, timestep: Tensor, tensors: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        total = part.total or running.num_timesteps
        done = min(part.offset + index + 1, total)
        step = Step(done, total, tensors["latents"], running.scheduler)
        replaced = on_step(step)
        return {} if replaced is None else {"latents": replaced}

    return after_step
