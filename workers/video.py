"""Frames as an MP4 that browsers play as it arrives: H.264, 8 bits, the index in front."""

import io
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image as Images
from PIL.Image import Image

from workers.label import xmp

CONTENT_TYPE: Final = "video/mp4"
# Good to the eye, at about a tenth of a lossless file.
_QUALITY: Final = {"crf": "17"}
_BT709: Final = 1
# The index in front; and names of metadata that FFmpeg does not know.
_FLAGS: Final = "+faststart+use_metadata_tags"
# The box of an XMP packet (XMP specification, part 3).
_XMP_UUID: Final = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def encode_video(frames: Sequence[Image], fps: int, comment: str, aigc: str = "") -> bytes:
    """All frames, one size, at `fps` a second; `read_comment` gives the comment back.

    `aigc` is the label of generated content (`workers.label`), kept under that name in the
    metadata and in an XMP packet at the end.

    H.264 has a colour for each two by two pixels: an odd side gets one more pixel,
    like its neighbour. The same frames always make the same bytes.
    """
    # FFmpeg moves the index to the front in a second pass, which needs a file.
    with TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        tags = {"comment": comment, "AIGC": aigc}
        _write(path, [even_sided(frame) for frame in frames], fps, tags)
        return path.read_bytes() + (_xmp_box(aigc) if aigc else b"")


def read_comment(data: bytes) -> str | None:
    """The comment in an MP4's metadata; None if there is none or the bytes are no MP4."""
    try:
        with av.open(io.BytesIO(data), format="mp4", metadata_errors="replace") as container:
            return container.metadata.get("comment")
    except av.FFmpegError:
        return None


def even_sided(frame: Image) -> Image:
    """`frame`, its last column and row doubled where their number is odd."""
    width, height = frame.width + frame.width % 2, frame.height + frame.height % 2
    if (width, height) == frame.size:
        return frame
    wider = Images.new(frame.mode, (width, height))
    for left, top in ((1, 1), (1, 0), (0, 1), (0, 0)):
        wider.paste(frame, (left * (width - frame.width), top * (height - frame.height)))
    return wider


def _xmp_box(aigc: str) -> bytes:
    packet = _XMP_UUID + xmp(aigc)
    return struct.pack(">I4s", len(packet) + 8, b"uuid") + packet


def _write(path: Path, frames: Iterable[Image], fps: int, tags: Mapping[str, str]) -> None:
    first, *rest = frames
    with av.open(path, "w", format="mp4", options={"movflags": _FLAGS}) as container:
        container.metadata.update({name: text for name, text in tags.items() if text})
        stream = container.add_stream("libx264", rate=fps, options=_QUALITY)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
        context = stream.codec_context
        # Its bytes depend on the number of threads.
        context.thread_count = 1
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = ColorRange.MPEG
        for frame in (first, *rest):
            container.mux(stream.encode(_yuv(frame)))
        container.mux(stream.encode(None))


def _yuv(frame: Image) -> av.VideoFrame:
    rgb = av.VideoFrame.from_ndarray(np.asarray(frame.convert("RGB")), format="rgb24")
    return rgb.reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )
