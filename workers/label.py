"""What every file says of itself: made by a generative model, and by whose.

IPTC's DigitalSourceType, and the AIGC label of China's GB 45438-2025 (its fields are of
Appendix E; where they go, of the practice guides TC260-PG-20259A and its sisters).
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from xml.sax.saxutils import escape

from PIL.Image import Image

from myriad.settings import Settings
from workers.mark import check_font

# "1": it is generated, beyond doubt.
_GENERATED: Final = "1"
_XMP: Final = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about=""'
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"'
    ' xmlns:myriad="urn:myriad:job"'
    " Iptc4xmpExt:DigitalSourceType="
    '"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"'
    "{job}><TC260:AIGC>{aigc}</TC260:AIGC></rdf:Description></rdf:RDF></x:xmpmeta>"
)


@dataclass(frozen=True)
class Labelling:
    """How files are labelled. Without `has_recipe` they say nothing of prompt and parameters.

    `mark` is drawn into the picture, with `font` if it needs letters beyond ASCII.
    """

    has_recipe: bool = True
    producer: str = "Myriad"
    mark: str = ""
    font: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the operator has it. Raises ConfigError for a font that cannot be read."""
        check_font(settings.visible_mark_font)
        return cls(
            has_recipe=settings.metadata == "full",
            producer=settings.content_producer,
            mark=settings.visible_mark,
            font=settings.visible_mark_font,
        )


def aigc_label(producer: str, frames: Sequence[Image]) -> str:
    """The label as JSON. `ProduceID` is a digest of the pixels: equal jobs make equal files."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(f"{frame.mode} {frame.size}".encode())
        digest.update(frame.tobytes())
    label = {
        "Label": _GENERATED,
        "ContentProducer": producer,
        "ProduceID": digest.hexdigest()[:32],
        "ReservedCode1": "",
        "ContentPropagator": "",
        "PropagateID": "",
        "ReservedCode2": "",
    }
    return json.dumps(label, ensure_ascii=False, separators=(",", ":"))


def xmp(aigc: str, recipe: str = "") -> bytes:
    """A packet with both labels, and the recipe if there is one."""
    packed = base64.b64encode(zlib.compress(recipe.encode(), 9)).decode() if recipe else ""
    job = f' myriad:job="{packed}"' if packed else ""
    return _XMP.format(job=job, aigc=escape(aigc)).encode()
