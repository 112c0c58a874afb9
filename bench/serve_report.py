"""What `bench.serve` prints: both servers beside each other, and ratios."""

import io
from typing import Any

from PIL import Image, ImageChops

Leg = dict[str, float | None]


def same_picture(ours: bytes, theirs: bytes) -> int:
    """Largest difference of any pixel value (0 to 255) between two pictures of one size."""
    one, other = (Image.open(io.BytesIO(data)).convert("RGB") for data in (ours, theirs))
    if one.size != other.size:
        raise ValueError(f"one picture is {one.size}, the other {other.size}")
    return max(ImageChops.difference(one, other).tobytes())


def print_report(report: dict[str, Any]) -> None:
    """One line a figure: ours, theirs, ours / theirs."""
    print(f"{report['hardware']}, load before {report['load_before']:.1f}")
    print(f"same request, largest pixel difference: {report['largest_pixel_difference']}")
    print(f"{'':34}{'Myriad':>10}{'LitServe':>10}{'ratio':>8}")
    for name in report["litserve"]:
        if name in report["myriad"]:
            _print_leg(name, report["myriad"][name], report["litserve"][name])


def _print_leg(name: str, ours: Leg, theirs: Leg) -> None:
    _line(f"{name}: images a second", ours, theirs, "throughput_per_s")
    if name != "saturation":
        _line(f"{name}: p50 (s)", ours, theirs, "p50_s")
        _line(f"{name}: p95 (s)", ours, theirs, "p95_s")
        _line(f"{name}: answered within {ours['within_s']:g} s", ours, theirs, "share_within")
    for what in ("shed", "failed", "unanswered"):
        if ours[what] or theirs[what]:
            _line(f"{name}: {what}", ours, theirs, what)


def _line(what: str, ours: Leg, theirs: Leg, key: str) -> None:
    one, other = ours[key], theirs[key]
    ratio = one / other if one is not None and other else None
    print(f"{what:34}{_cell(one, 10, 3)}{_cell(other, 10, 3)}{_cell(ratio, 8, 2)}")


def _cell(value: float | None, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"
