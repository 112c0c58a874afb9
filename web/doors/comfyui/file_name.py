"""Names of files: ours to make, and telling all there is to know of a file."""

import re

from myriad.record import ImageRecord, JobRecord
from web.doors.comfyui.problem import NodeRefused

_INPUT = re.compile(r"([0-9a-f]{64})(?:-([0-9a-f]{64}))?\.png")
_OUTPUT = re.compile(r"([0-9a-f]{32})_([0-9]{5})_\.png")
_MARK = " [input]"


def input_name(picture: str, mask: str | None) -> str:
    """The name of a file handed in: the digest of its picture, and of its transparency."""
    return f"{picture}-{mask}.png" if mask else f"{picture}.png"


def digests_of(name: str) -> tuple[str, str | None]:
    """The inverse. Raises NodeRefused for a name that no upload was answered with."""
    found = _INPUT.fullmatch(name.removesuffix(_MARK))
    if found is None:
        raise NodeRefused(
            f"image - Invalid image file: {name[:100]}."
            " Upload it to /upload/image and use the name in the answer"
        )
    return found[1], found[2]


def output_names(record: JobRecord) -> list[str]:
    """Names of a job's pictures."""
    return [output_name(record, image) for image in record.images]


def output_name(record: JobRecord, image: ImageRecord) -> str:
    """The name of one of them."""
    return f"{record.id}_{image.index + 1:05}_.png"


def read_output(name: str) -> tuple[str, int] | None:
    """The job's id and the picture's index behind a name; None for any other."""
    found = _OUTPUT.fullmatch(name)
    return (found[1], int(found[2]) - 1) if found else None


def read_input(name: str) -> str | None:
    """The digest of the picture behind an input's name; None for any other."""
    found = _INPUT.fullmatch(name)
    return found[1] if found else None
