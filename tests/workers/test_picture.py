"""A picture carries its recipe through every format, however hostile the prompt."""

import io
import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from myriad.infotext import infotext
from myriad.params import MAX_SEED, PICTURE_FORMATS, GenerationParams
from myriad.scheduler import SCHEDULERS
from workers.picture import encode_image, make_picture, read_metadata, thumbnail

HOSTILE = (
    'a, b: "c", Steps: 99, Seed: 1\nNegative prompt: fake\n  Negative prompt: again',
    "\n\n\nSteps: 1, Sampler: Euler, CFG scale: 7, Seed: 2, Size: 1x1",
    "\\ \\\" ' `${x}` {0} %s </x:xmpmeta> <!-- ]]> &amp;",
    "\u202eright to left \u05d0\u05d1\u05d2 \u0627\u0644",
    "\U0001f9d1\u200d\U0001f680 万相 \u2028\u2029\ufeff\ufffe",
    "\t tab and   spaces \u3000",
)
prompts = st.sampled_from(HOSTILE) | st.text(
    st.characters(exclude_categories=("Cc", "Cs"), include_characters="\n\t"), max_size=200
)
params = st.builds(
    GenerationParams,
    prompt=prompts,
    negative_prompt=prompts,
    width=st.integers(8, 4096),
    height=st.integers(8, 4096),
    num_inference_steps=st.integers(1, 150),
    guidance_scale=st.floats(0, 50),
    seed=st.integers(0, MAX_SEED),
    num_images=st.just(1),
    scheduler=st.sampled_from(SCHEDULERS),
    output_format=st.sampled_from(PICTURE_FORMATS),
)
lasting = settings(deadline=None, max_examples=40, database=None)


def simple(**values: object) -> GenerationParams:
    asked = {
        "prompt": "a red cat",
        "width": 8,
        "height": 8,
        "num_inference_steps": 4,
        "guidance_scale": 7.5,
        "seed": 1,
        "scheduler": "DDIMScheduler",
    }
    return GenerationParams.model_validate(asked | values)


def image(width: int = 8, height: int = 8) -> Image.Image:
    return Image.linear_gradient("L").resize((width, height)).convert("RGB")


@given(params)
@lasting
def test_metadata_restores_the_job_exactly(made: GenerationParams) -> None:
    assert read_metadata(encode_image(image(), "some-model", made)) == ("some-model", made)


@pytest.mark.parametrize("output_format", PICTURE_FORMATS)
@pytest.mark.parametrize("letter", ["万", "!", "\U0001f600"])
def test_the_longest_prompts_fit(output_format: str, letter: str) -> None:
    text = "".join(chr(ord(letter) + place % 50) for place in range(8_000))
    made = simple(prompt=text, negative_prompt=text[::-1], output_format=output_format)
    assert read_metadata(encode_image(image(), "m", made)) == ("m", made)


def test_png_pixels_are_untouched() -> None:
    data = encode_image(image(), "m", simple())
    assert Image.open(io.BytesIO(data)).tobytes() == image().tobytes()


def test_png_carries_the_recipe_and_nothing_else() -> None:
    made = simple()
    text = Image.open(io.BytesIO(encode_image(image(), "m", made))).text
    assert set(text) == {"parameters", "myriad", "XML:com.adobe.xmp"}
    assert json.loads(text["myriad"]) == {"model": "m", "params": made.to_json()}
    assert text["parameters"] == infotext("m", made)


@pytest.mark.parametrize("output_format", ["webp", "jpeg"])
def test_others_carry_infotext_where_a1111_looks(output_format: str) -> None:
    made = simple(prompt="万相 \U0001f600", output_format=output_format)
    with Image.open(io.BytesIO(encode_image(image(), "m", made))) as read:
        comment = read.getexif().get_ifd(0x8769)[0x9286]
        assert read.format == output_format.upper()
    assert comment[:8] == b"UNICODE\0"
    assert comment[8:].decode("utf-16-be") == infotext("m", made)


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1\xff\xff"],
)
def test_foreign_bytes_have_no_metadata(data: bytes) -> None:
    assert read_metadata(data) is None


@pytest.mark.parametrize(
    "recipe",
    [
        "",
        "[]",
        "{}",
        "null",
        "__import__('os').system('true')",
        '{"model": 1, "params": {}}',
        "[" * 100_000,
        json.dumps({"model": 5, "params": simple().to_json()}),
        json.dumps({"model": "m", "params": simple().to_json() | {"surprise": 1}}),
        json.dumps({"model": "m", "params": simple().to_json() | {"width": -8}}),
    ],
)
def test_a_forged_recipe_is_no_recipe(recipe: str) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("myriad", recipe)
    buffer = io.BytesIO()
    image().save(buffer, "PNG", pnginfo=info)
    assert read_metadata(buffer.getvalue()) is None


@given(st.binary(max_size=300))
@lasting
def test_reading_any_bytes_raises_nothing(data: bytes) -> None:
    packet = b'myriad:job="' + data + b'"'
    buffer = io.BytesIO()
    image().save(buffer, "WEBP", xmp=packet)
    assert read_metadata(buffer.getvalue()) is None
    assert read_metadata(data) is None


def test_each_picture_names_its_own_seed_and_stands_alone() -> None:
    made = simple(seed=30, num_images=3, output_format="webp")
    picture = make_picture([image(16, 8)], "m", made, place=2)
    assert (picture.seed, picture.width, picture.height) == (32, 16, 8)
    assert picture.content_type == "image/webp"
    assert read_metadata(picture.data) == (
        "m",
        made.model_copy(update={"seed": 32, "num_images": 1}),
    )


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1024, 512), (256, 128)), ((512, 1024), (128, 256)), ((64, 32), (64, 32))],
)
def test_thumbnails_are_small_webp_without_metadata(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    data = thumbnail(image(*size))
    with Image.open(io.BytesIO(data)) as small:
        assert (small.format, small.size) == ("WEBP", expected)
    assert read_metadata(data) is None


def test_a_small_picture_is_its_own_thumbnail() -> None:
    asked = simple()
    assert make_picture([image(256, 256)], "m", asked, 0).thumbnail is None
    assert make_picture([image(264, 256)], "m", asked, 0).thumbnail is not None


def read_infotext(text: str) -> tuple[str, str, dict[str, str]]:
    """Prompt, negative prompt and values, read line by line as the form is defined."""
    *lines, last = text.split("\n")
    marks = [place for place, line in enumerate(lines) if line.strip().startswith("Negative pro")]
    cut = marks[0] if marks else len(lines)
    negative = "\n".join(lines[cut:]).strip().removeprefix("Negative prompt:").removeprefix(" ")
    pairs = re.findall(r'(\w[\w ]*): ("(?:\\.|[^"\\])*"|[^,]*)(?:, |$)', last)
    values = {name: json.loads(value) if value[:1] == '"' else value for name, value in pairs}
    assert len(marks) <= 1
    return "\n".join(lines[:cut]), negative, values


def bare(text: str) -> str:
    """Without the invisible character that disarms a line."""
    return text.replace("\u2060", "")


@given(params)
@example(simple(prompt="Negative prompt: a\nNegative prompt:b", negative_prompt="x: y, \nz"))
@lasting
def test_infotext_holds_against_any_prompt(made: GenerationParams) -> None:
    prompt, negative, values = read_infotext(infotext("some-model", made))
    assert bare(prompt) == bare(made.prompt)
    assert bare(negative).strip() == bare(made.negative_prompt).strip()
    assert values["Seed"] == str(made.seed)
    assert values["Steps"] == str(made.num_inference_steps)
    assert values["Size"] == f"{made.width}x{made.height}"
    assert float(values["CFG scale"]) == pytest.approx(made.guidance_scale)
    assert values["Model"] == "some-model"
    assert values["Version"].startswith("Myriad ")
