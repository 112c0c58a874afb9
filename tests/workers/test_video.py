"""A video is an MP4 that plays anywhere and carries its recipe, as a picture does."""

import io

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from myriad.params import GenerationParams
from tests.workers.test_picture import HOSTILE, params
from workers.picture import make_picture, read_metadata
from workers.video import encode_video, even_sided, read_comment

FPS = 12
film = params.map(lambda made: made.model_copy(update={"output_format": "mp4", "num_frames": 3}))


def clip(width: int = 64, height: int = 48, frames: int = 7) -> list[Image.Image]:
    """A bright square that moves over a coloured ground."""
    made = []
    for place in range(frames):
        frame = Image.new("RGB", (width, height), (30, 90, 200))
        frame.paste((250, 220, 20), (place * 4, 8, place * 4 + 16, 24))
        made.append(frame)
    return made


def simple(**changed: object) -> GenerationParams:
    values = {"prompt": "a red cat 猫", "width": 64, "height": 48, "num_frames": 7, "fps": FPS}
    recipe = {"num_inference_steps": 4, "guidance_scale": 5.0, "seed": 9, "output_format": "mp4"}
    return GenerationParams.model_validate(
        {**values, **recipe, "scheduler": "UniPCMultistepScheduler", **changed}
    )


def decoded(data: bytes) -> list[Image.Image]:
    with av.open(io.BytesIO(data)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


def test_it_is_h264_that_browsers_play() -> None:
    with av.open(io.BytesIO(encode_video(clip(), FPS, ""))) as container:
        [stream] = container.streams
        assert isinstance(stream, av.VideoStream)
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (64, 48)
        assert (stream.frames, stream.average_rate) == (7, FPS)
        assert float(stream.duration * stream.time_base) == pytest.approx(7 / FPS, abs=1e-3)
        assert stream.codec_context.colorspace == 1  # BT.709


def test_it_plays_before_it_is_all_there() -> None:
    data = encode_video(clip(), FPS, "")
    assert data.index(b"moov") < data.index(b"mdat")


def test_its_frames_look_like_those_given() -> None:
    for frame, read in zip(clip(), decoded(encode_video(clip(), FPS, "")), strict=True):
        difference = np.abs(np.asarray(frame, np.int16) - np.asarray(read, np.int16))
        assert difference.mean() < 3


def test_equal_frames_make_equal_bytes() -> None:
    assert encode_video(clip(), FPS, "x") == encode_video(clip(), FPS, "x")


@pytest.mark.parametrize(("size", "expected"), [((65, 33), (66, 34)), ((64, 33), (64, 34))])
def test_odd_sides_get_one_more_pixel(size: tuple[int, int], expected: tuple[int, int]) -> None:
    frames = clip(*size, frames=2)
    wider = even_sided(frames[0])
    assert wider.crop((0, 0, *size)).tobytes() == frames[0].tobytes()
    assert wider.getpixel((expected[0] - 1, expected[1] - 1)) == frames[0].getpixel(
        (size[0] - 1, size[1] - 1)
    )
    picture = make_picture(frames, "m", simple(), 0)
    assert (picture.width, picture.height) == expected
    assert {frame.size for frame in decoded(picture.data)} == {expected}


def test_one_frame_may_be_a_video() -> None:
    assert len(decoded(encode_video(clip(frames=1), FPS, ""))) == 1


def test_a_picture_tells_what_the_video_is() -> None:
    picture = make_picture(clip(), "m", simple(seed=30, num_images=3), place=2)
    assert (picture.content_type, picture.num_frames, picture.fps) == ("video/mp4", 7, FPS)
    assert (picture.width, picture.height, picture.seed) == (64, 48, 32)
    with Image.open(io.BytesIO(picture.thumbnail or b"")) as small:
        assert (small.format, small.size) == ("WEBP", (64, 48))
    assert read_metadata(picture.data) == ("m", simple(seed=32))


def test_a_video_without_a_rate_gets_one() -> None:
    picture = make_picture(clip(), "m", simple(fps=None), 0)
    with av.open(io.BytesIO(picture.data)) as container:
        assert container.streams.video[0].average_rate == picture.fps == 16


@given(film)
@settings(max_examples=15, deadline=None)
def test_metadata_restores_the_job_exactly(made: GenerationParams) -> None:
    [frame] = clip(16, 16, 1)
    picture = make_picture([frame], "some-model", made, 0)
    assert read_metadata(picture.data) == ("some-model", made)


@pytest.mark.parametrize("text", [*HOSTILE, "万" * 8_000, "\U0001f600" * 4_000])
def test_no_prompt_is_too_long_or_too_strange(text: str) -> None:
    made = simple(prompt=text, negative_prompt=text[::-1])
    [frame] = clip(16, 16, 1)
    assert read_metadata(make_picture([frame], "m", made, 0).data) == ("m", made)


def test_a_foreign_video_has_no_recipe() -> None:
    assert read_metadata(encode_video(clip(), FPS, "holiday")) is None
    assert read_comment(encode_video(clip(), FPS, "holiday")) == "holiday"


@given(st.binary(max_size=200), st.integers(0, 600))
@settings(max_examples=60, deadline=None)
def test_damaged_videos_raise_nothing(noise: bytes, place: int) -> None:
    data = _WHOLE[:place] + noise + _WHOLE[place + len(noise) :]
    read_metadata(data)
    assert read_metadata(b"\0\0\0\x20ftypisom" + noise) is None


_WHOLE = make_picture(clip(frames=1), "m", simple(), 0).data
