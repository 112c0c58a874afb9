"""What a job was asked for beyond the usual, in words for its page."""

from collections.abc import Mapping
from typing import Any

from web.links import input_url
from web.locale import gettext as _

Facts = list[tuple[str, str]]


def shown_inputs(params: Mapping[str, Any]) -> Facts:
    """Each picture that was handed in: what it is for, and its address."""
    named = [(_("Picture"), params.get("image")), (_("Mask"), params.get("mask"))]
    named += [(use["model"], use["image"]) for use in params.get("controlnets") or ()]
    return [(kind, input_url(digest)) for kind, digest in named if digest]


def shown_facts(params: Mapping[str, Any]) -> Facts:
    """Names and values of what was set."""
    refiner = params.get("refiner")
    facts = {
        _("Strength"): params.get("strength"),
        "ControlNet": _scaled("model", params.get("controlnets")),
        "LoRA": _scaled("name", params.get("loras")),
        _("Refiner"): refiner and f"{refiner['model']} ≥ {refiner['denoising_start']:.0%}",
        _("Reproducible"): _("yes") if params.get("reproducible") else None,
    }
    if params.get("num_frames", 1) > 1:
        facts |= {_("Frames"): params["num_frames"], _("Frames per second"): params["fps"]}
    return [(name, str(value)) for name, value in facts.items() if value]


def _scaled(key: str, uses: list[Mapping[str, Any]] | None) -> str:
    return ", ".join(f"{use[key]} × {use['scale']:g}" for use in uses or ())
