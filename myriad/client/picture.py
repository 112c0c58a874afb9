"""Pictures as callers have them: a file's path, its bytes, a PIL image, or an input's id."""

import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from myriad.client.call import Flow
from myriad.errors import InvalidRequest

FIELDS = ("image", "mask")
"""Fields of a job that hold a picture; each of its `controlnets` has an `image` too."""

_AT_THE_FARM = re.compile("[0-9a-f]{64}|data:.*", re.DOTALL)


class PilImage(Protocol):
    """As much of `PIL.Image.Image` as is needed here."""

    def save(self, fp: Any, format: str | None = None) -> None:  # noqa: A002 - PIL's word
        """Write it to a file."""
        ...


Picture: TypeAlias = str | Path | bytes | PilImage
"""A text is an input's id or a data URI if it looks like one, else a path."""


class Uploader(Protocol):
    """What hands a picture in."""

    def upload(self, picture: Picture, name: str) -> Flow[dict[str, Any]]:
        """The input, with its `id`."""
        ...


class Uploads:
    """Hands in the pictures of one call, the same object once."""

    def __init__(self, uploader: Uploader) -> None:
        self._uploader = uploader
        self._known: dict[int, tuple[Picture, str]] = {}

    def named(self, params: Mapping[str, Any]) -> Flow[dict[str, Any]]:
        """The job's fields that are given, with an input's id for each picture."""
        values = {name: value for name, value in params.items() if value is not None}
        for name in FIELDS:
            if name in values:
                values[name] = yield from self._id_of(values[name], name)
        if "controlnets" in values:
            uses = []
            for use in values["controlnets"]:
                given = {name: value for name, value in use.items() if value is not None}
                if "image" in given:
                    given["image"] = yield from self._id_of(given["image"], "control_image")
                uses.append(given)
            values["controlnets"] = uses
        return values

    def _id_of(self, picture: Picture, name: str) -> Flow[str]:
        if isinstance(picture, str) and _AT_THE_FARM.fullmatch(picture):
            return picture
        if id(picture) not in self._known:
            handed = yield from self._uploader.upload(picture, name)
            # Kept with its picture: while that lives, nothing else has its identity.
            self._known[id(picture)] = picture, str(handed["id"])
        return self._known[id(picture)][1]


def data_of(picture: Picture) -> bytes:
    """A picture file's bytes. Raises OSError for a path that leads nowhere."""
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, str | Path):
        return Path(picture).read_bytes()
    if not hasattr(picture, "save"):
        kind = type(picture).__name__
        raise InvalidRequest(f"a picture is a path, bytes or a PIL image, not {kind}")
    file = BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()
