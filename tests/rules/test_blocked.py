"""Blocked terms are found however they are written, and not inside other words."""

from pathlib import Path

import pytest

from myriad.blocked import BlockedTerms
from myriad.errors import ConfigError, ContentRefused

TERMS = BlockedTerms(["nude", "Red  Flag", "裸体", "ทหาร", "c++", "Straße", " "])


@pytest.mark.parametrize(
    "prompt",
    [
        "a nude figure",
        "NUDE",
        "ｎｕｄｅ",  # full width
        "\U0001d55f\U0001d566\U0001d555\U0001d556",  # double-struck
        "n\u200bu\u200bd\u00ade",  # invisible characters between
        "nude_figure",
        "画nude女",
        "a red\u3000flag",
        "red\nflag",
        "一个裸体的人",
        "裸\u200b体",
        "ในทหารไทย",
        "written in c++, they say",
        "an der STRASSE",
    ],
)
def test_what_is_refused(prompt: str) -> None:
    with pytest.raises(ContentRefused) as refused:
        TERMS.check(prompt)
    assert refused.value.field == "prompt"
    assert "nude" not in refused.value.message


@pytest.mark.parametrize(
    "prompt", ["a denuded hill", "nudes", "red, flag", "a red flagpole", "裸 体", "c+", "", "a cat"]
)
def test_what_is_not(prompt: str) -> None:
    TERMS.check(prompt)
    BlockedTerms().check(prompt)


def test_a_file_has_a_term_a_line(tmp_path: Path) -> None:
    path = tmp_path / "terms.txt"
    path.write_text("\ufeff# not drawn here\n\nnude\n  # nor this\r\n裸体\n", "utf-8")
    terms = BlockedTerms.read(path)
    terms.check("# not drawn here, nor this")
    for prompt in ("nude", "裸体"):
        with pytest.raises(ContentRefused):
            terms.check(prompt)
    BlockedTerms.read(None).check("nude")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff"])
def test_a_list_that_cannot_be_read_stops_the_farm(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "terms.txt"
    if content:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="blocked terms"):
        BlockedTerms.read(path)
