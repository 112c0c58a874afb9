"""Generation parameters as AUTOMATIC1111's infotext, which many programs read."""

import json
from typing import Final

from myriad import __version__
from myriad.params import GenerationParams
from myriad.sampler_names import a1111_name

NEGATIVE: Final = "Negative prompt:"
# Invisible, and not whitespace: readers strip each line before they look at it.
_WORD_JOINER: Final = "\u2060"


def infotext(model: str, params: GenerationParams) -> str:
    """Prompt, negative prompt, and one last line of `Name: value` pairs.

    The form has no escape for a prompt's lines, so one that looks like the mark
    of the negative prompt gets an invisible character in front.
    """
    values = {
        "Steps": params.num_inference_steps,
        "Sampler": a1111_name(params.scheduler),
        "CFG scale": f"{params.guidance_scale:.15g}",
        "Seed": params.seed,
        "Size": f"{params.width}x{params.height}",
        "Model": model,
        "Version": f"Myriad {__version__}",
    }
    parts = [_disarmed(params.prompt)]
    if params.negative_prompt:
        parts.append(f"{NEGATIVE} {_disarmed(params.negative_prompt)}")
    parts.append(", ".join(f"{name}: {_quoted(str(value))}" for name, value in values.items()))
    return "\n".join(parts)


def _disarmed(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(
        _WORD_JOINER + line if line.strip().startswith(NEGATIVE) else line for line in lines
    )


def _quoted(value: str) -> str:
    """The value as A1111 writes it: JSON where a comma, colon or newline would end it."""
    return json.dumps(value, ensure_ascii=False) if set(value) & set(",:\n") else value
