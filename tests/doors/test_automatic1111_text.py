"""Tags in prompts and infotext, as AUTOMATIC1111's users write and read them."""

import struct
from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from myriad.infotext import infotext
from myriad.params import GenerationParams
from web.doors.automatic1111.lora_tags import read_tags
from web.doors.automatic1111.png_info import read_infotext, text_of
from web.doors.automatic1111.request_model import Img2Img, Txt2Img


def test_tags_name_loras_and_leave_the_prompt() -> None:
    found = read_tags(
        "a <lora:ink:0.8> star <lora:gold:te=1:unet=-0.5>, <lora:plain> <hypernet:x:1>"
    )
    assert found.prompt == "a star ,"
    assert found.loras == {"ink": 0.8, "gold": -0.5, "plain": 1.0}
    assert found.others == ("<hypernet:x>",)


@given(st.text(alphabet="<>:lora 0.5x\n"))
def test_a_prompt_without_tags_stays_as_it_is(prompt: str) -> None:
    found = read_tags(prompt)
    if not found.loras and not found.others:
        assert found.prompt == prompt


def test_infotext_is_read_back() -> None:
    params = GenerationParams(
        prompt="two\nlines, with: marks",
        negative_prompt="blurry",
        width=64,
        height=128,
        num_inference_steps=4,
        guidance_scale=2.5,
        seed=9,
        scheduler="EulerAncestralDiscreteScheduler",
    )
    found = read_infotext(infotext('odd, "model": x', params))
    assert found["Prompt"] == params.prompt
    assert found["Negative prompt"] == "blurry"
    assert (found["Seed"], found["Size"], found["Sampler"]) == ("9", "64x128", "Euler a")
    assert found["Model"] == 'odd, "model": x'


@given(st.text())
def test_any_text_is_read_somehow(text: str) -> None:
    assert isinstance(read_infotext(text), dict)
    assert read_infotext(" " * 3999 + text) is not None


def test_a_picture_whose_exif_points_nowhere_says_nothing() -> None:
    entry = struct.pack("<HHHIi", 1, 0x8769, 9, 1, -8)  # one entry: a signed place
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + entry + bytes(4)
    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif)
    assert text_of(file.getvalue(), 1_000_000) == ""


def test_what_is_kept_while_a_client_waits_has_no_pictures() -> None:
    sent = {"prompt": "a star", "init_images": ["A"], "mask": "B", "alwayson_scripts": {"x": "C"}}
    for kind in (Txt2Img, Img2Img):
        kept = kind.model_validate(sent).without_pictures().model_dump()
        assert kept["prompt"] == "a star"
        assert not set("ABC") & set(str([kept.get(name) for name in sent if name != "prompt"]))
