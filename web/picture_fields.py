"""Which fields of a request hold pictures: each becomes the digest of an input."""

from collections.abc import Mapping, Sequence
from typing import Any

from myriad.errors import InvalidRequest
from web.inputs import Inputs

Parts = Mapping[str, Sequence[bytes]]
"""Files that came beside the request: `image`, `mask`, and any number as `control_image`."""

_NAMES = ("image", "mask")


def with_digests(asked: Mapping[str, Any], parts: Parts, inputs: Inputs) -> dict[str, Any]:
    """The request with every picture as a digest. Raises InvalidRequest naming its field."""
    values = dict(asked)
    for name in _NAMES:
        values[name] = _digest(name, asked.get(name), parts.get(name, ()), inputs)
    if asked.get("controlnets"):
        values["controlnets"] = _controlled(asked["controlnets"], parts, inputs)
    elif parts.get("control_image"):
        raise InvalidRequest("goes with controlnets, and there are none", field="control_image")
    return values


def _digest(name: str, text: str | None, files: Sequence[bytes], inputs: Inputs) -> str | None:
    is_mask = name == "mask"
    if files and text is not None:
        raise InvalidRequest("is given twice", field=name)
    if files:
        return inputs.take(files[0], name, is_mask=is_mask)
    return None if text is None else inputs.read(text, name, is_mask=is_mask)


def _controlled(
    uses: Sequence[Mapping[str, Any]], parts: Parts, inputs: Inputs
) -> list[dict[str, Any]]:
    """Each with its image: named, or the next of the files."""
    files = list(parts.get("control_image", ()))
    found = []
    for place, use in enumerate(uses):
        field = f"controlnets.{place}.image"
        if use["image"] is not None:
            digest = inputs.read(use["image"], field)
        elif files:
            digest = inputs.take(files.pop(0), "control_image")
        else:
            raise InvalidRequest("must be given", field=field)
        found.append({**use, "image": digest})
    if files:
        raise InvalidRequest("comes more often than a ControlNet lacks one", field="control_image")
    return found
