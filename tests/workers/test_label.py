"""Every file says that it is generated; a visible mark and the recipe are the operator's choice."""

import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from PIL import Image, ImageFont

from myriad.errors import ConfigError
from myriad.params import PICTURE_FORMATS
from myriad.settings import Settings, load_settings
from tests.workers import test_video
from tests.workers.test_picture import image, simple
from workers.label import Labelling, aigc_label
from workers.mark import SHARE, with_mark
from workers.picture import encode_image, make_picture, read_metadata

FORMATS = (*PICTURE_FORMATS, "mp4")
FIELDS = {
    *("Label", "ContentProducer", "ProduceID", "ReservedCode1"),
    *("ContentPropagator", "PropagateID", "ReservedCode2"),
}
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"
_IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
_AIGC = "{http://www.tc260.org.cn/ns/AIGC/1.0/}AIGC"
_GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
SECRET = "canary-prompt"


def make(output_format: str, labelling: Labelling, prompt: str = SECRET) -> bytes:
    if output_format == "mp4":
        made = test_video.simple(prompt=prompt)
        return make_picture(test_video.clip(), "m", made, 0, labelling).data
    made = simple(prompt=prompt, output_format=output_format)
    return make_picture([image(64, 48)], "m", made, 0, labelling).data


def packet(data: bytes) -> bytes:
    """The XMP of a file, found where programs look for it."""
    if data[4:8] == b"ftyp":
        return data[data.rindex(_UUID) + len(_UUID) :]
    with Image.open(io.BytesIO(data)) as read:
        found: Any = read.info.get("xmp") or read.info["XML:com.adobe.xmp"].encode()
    return bytes(found)


def description(data: bytes) -> ElementTree.Element:
    found = ElementTree.fromstring(packet(data)).find(f".//{_RDF}")
    assert found is not None
    return found


def label(data: bytes) -> dict[str, str]:
    values: dict[str, str] = json.loads(description(data).findtext(_AIGC) or "")
    return values


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("has_recipe", [True, False])
def test_every_file_is_labelled(output_format: str, has_recipe: bool) -> None:
    data = make(output_format, Labelling(has_recipe=has_recipe, producer="某 & <公司>"))
    assert description(data).get(_IPTC) == _GENERATED
    values = label(data)
    assert set(values) == FIELDS
    assert (values["Label"], values["ContentProducer"]) == ("1", "某 & <公司>")
    assert len(values["ProduceID"]) == 32


@pytest.mark.parametrize("output_format", FORMATS)
def test_without_the_recipe_nothing_tells_how(output_format: str) -> None:
    data = make(output_format, Labelling(has_recipe=False))
    assert read_metadata(data) is None
    assert SECRET.encode() not in data
    assert SECRET.encode("utf-16-be") not in data
    assert len(data) < len(make(output_format, Labelling(), "!" * 8_000))
    assert data == make(output_format, Labelling(has_recipe=False), "another prompt")


def test_what_exceeds_a_segment_leaves_the_label() -> None:
    letters = "".join(chr(0x4E00 + (place * 7919) % 20_000) for place in range(8_000))
    made = simple(prompt=letters, negative_prompt=letters[::-1], output_format="jpeg")
    assert label(encode_image(image(), "m" * 90_000, made))["Label"] == "1"


def test_a_video_names_it_as_ffmpeg_would() -> None:
    data = make("mp4", Labelling())
    with av.open(io.BytesIO(data)) as container:
        assert json.loads(container.metadata["AIGC"]) == label(data)
    assert data.index(b"moov") < data.index(b"mdat") < data.index(_UUID)


def test_the_same_pixels_have_the_same_id() -> None:
    ids = [json.loads(aigc_label("x", [frame]))["ProduceID"] for frame in (image(), image())]
    other = json.loads(aigc_label("x", [image(16, 4)]))["ProduceID"]
    assert ids[0] == ids[1] != other
    assert make("png", Labelling()) == make("png", Labelling())


@pytest.mark.parametrize("size", [(512, 768), (64, 64), (1920, 1080), (97, 211)])
def test_a_mark_is_large_enough_and_in_the_corner(size: tuple[int, int]) -> None:
    plain = Image.new("RGB", size, (120, 130, 140))
    marked = with_mark(plain, "AI")
    changed = np.any(np.asarray(marked) != np.asarray(plain), axis=2)
    rows, columns = np.nonzero(changed)
    white = np.nonzero((np.asarray(marked) > 160).all(axis=2))[0]
    assert white.max() - white.min() + 1 >= SHARE * min(size)
    assert rows.min() > size[1] / 2
    assert columns.min() > size[0] / 2
    assert columns.max() < size[0]
    assert rows.max() < size[1]
    assert plain.getpixel((0, 0)) == (120, 130, 140) == plain.getpixel((size[0] - 1, size[1] - 1))


def test_without_a_mark_the_picture_is_untouched() -> None:
    plain = image(64, 64)
    assert with_mark(plain, "") is plain


@pytest.mark.parametrize("output_format", ["png", "mp4"])
def test_the_mark_is_in_file_and_thumbnail(output_format: str) -> None:
    size = (96, 96) if output_format == "mp4" else (384, 384)
    frames = [Image.new("RGB", size, "blue")] * (7 if output_format == "mp4" else 1)
    made = test_video.simple() if output_format == "mp4" else simple()
    picture = make_picture(frames, "m", made, 0, Labelling(mark="AI"))
    assert picture.thumbnail is not None
    with Image.open(io.BytesIO(picture.thumbnail)) as small:
        middle = small.height // 2
        assert np.asarray(small)[middle:, middle:].min(axis=2).max() > 150  # white letters
        assert np.asarray(small)[:middle].min(axis=2).max() < 50
    if output_format == "mp4":
        shown = [np.asarray(frame) for frame in test_video.decoded(picture.data)]
    else:
        shown = [np.asarray(Image.open(io.BytesIO(picture.data)))]
    assert all(frame[48:, 48:].min(axis=2).max() > 150 for frame in shown)


def test_a_long_mark_begins_inside_the_picture() -> None:
    marked = with_mark(Image.new("RGB", (32, 32)), "generated by a model")
    assert np.asarray(marked)[:, :10].any()


def test_letters_beyond_ascii_need_a_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYRIAD_VISIBLE_MARK", "AI 生成")
    with pytest.raises(ConfigError, match="MYRIAD_VISIBLE_MARK_FONT"):
        load_settings()
    font = tmp_path / "font.ttf"
    monkeypatch.setenv("MYRIAD_VISIBLE_MARK_FONT", str(font))
    settings = load_settings()
    with pytest.raises(ConfigError, match="cannot be read"):
        Labelling.of(settings)
    default = ImageFont.load_default(10)
    assert isinstance(default, ImageFont.FreeTypeFont)
    font.write_bytes(default.font_bytes)
    marked = with_mark(Image.new("RGB", (64, 64)), "AI", Labelling.of(settings).font)
    assert np.asarray(marked).any()


def test_what_is_labelled_otherwise_is_another_result() -> None:
    assert Settings().labels == {}
    chosen = Settings(visible_mark="AI", metadata="provenance")
    assert chosen.labels == {"mark": "AI", "metadata": "provenance"}
    assert not Labelling.of(chosen).has_recipe
