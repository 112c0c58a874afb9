"""A base model and the refiner that finishes its pictures: two pipelines, one run of steps."""

from torch import Tensor

from myriad.params import GenerationParams
from workers.conditions import Conditions
from workers.denoising import Part, Step, StepHook, denoise, new_generators
from workers.loaded import LoadedModel


def denoise_and_refine(
    base: LoadedModel,
    refiner: LoadedModel,
    params: GenerationParams,
    conditions: Conditions,
    on_step: StepHook,
) -> Tensor:
    """Conditions → refined latents, as with diffusers' `denoising_end` and `denoising_start`.

    Both halves draw from the same generators, one after the other.
    """
    if params.refiner is None:
        raise ValueError("nothing was asked of a refiner")
    start, total = params.refiner.denoising_start, params.num_inference_steps
    generators, counter = new_generators(params), _Counter(on_step)
    first = Part({"denoising_end": start}, total=total)
    latents = denoise(base, params, conditions, counter, generators=generators, part=first)
    rest = Part({"image": latents, "denoising_start": start}, offset=counter.done, total=total)
    own = Conditions(embeds=conditions.refiner)
    return denoise(refiner, refiner_params(params), own, counter, generators=generators, part=rest)


def refiner_params(params: GenerationParams) -> GenerationParams:
    """What of a request its refiner is told: the words, and nothing that belongs to the base."""
    return params.model_copy(
        update={"refiner": None, "loras": (), "controlnets": (), "image": None, "mask": None}
    )


class _Counter:
    """Passes steps on, and knows how many there were."""

    def __init__(self, on_step: StepHook) -> None:
        self._on_step = on_step
        self.done = 0

    def __call__(self, step: Step) -> Tensor | None:
        self.done = step.done
        return self._on_step(step)
