"""Tags in prompts and infotext, as AUTOMATIC1111's users write and read them."""

from hypothesis import given
from hypothesis import strategies as st

from myriad.infotext import infotext
from myriad.params import GenerationParams
from web.doors.automatic1111.lora_tags import read_tags
from web.doors.automatic1111.png_info import read_infotext


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
