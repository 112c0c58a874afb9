"""What is drawn on a terminal, and in which of them how."""

from base64 import b64decode
from io import BytesIO, StringIO
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from myriad.cli.terminal_picture import HalfBlocks, drawn, size_in_cells
from myriad.cli.watch import doing, why
from tests.web.bombs import picture

PLAIN = {"TERM": "xterm-256color"}
KITTY = {"KITTY_WINDOW_ID": "1"}


def console() -> Console:
    return Console(
        file=StringIO(), force_terminal=True, color_system="truecolor", width=40, height=20
    )


def shown(data: bytes, environment: dict[str, str]) -> str:
    screen = console()
    screen.print(drawn(data, environment))
    assert isinstance(screen.file, StringIO)
    return screen.file.getvalue()


def test_half_blocks_have_the_colours_of_the_picture() -> None:
    image = Image.new("RGB", (2, 2), (255, 0, 0))
    image.paste((0, 0, 255), (0, 1, 2, 2))
    file = BytesIO()
    image.save(file, "PNG")
    text = shown(file.getvalue(), PLAIN)
    first, last = text.split("▀")[0], text.split("▀")[-2]
    assert "38;2;255;0;0" in first
    assert "48;2;0;0;255" in last
    assert len({line.count("▀") for line in text.splitlines()}) == 1


@pytest.mark.parametrize(
    ("size", "cells"), [((64, 64), (28, 14)), ((64, 16), (40, 5)), ((10, 1000), (1, 14))]
)
def test_it_keeps_its_shape_within_the_terminal(
    size: tuple[int, int], cells: tuple[int, int]
) -> None:
    assert size_in_cells(Image.new("RGB", size), console()) == cells


def test_kitty_is_given_the_picture_itself() -> None:
    text = shown(picture(), KITTY)
    chunks = [part.partition("\x1b\\")[0] for part in text.split("\x1b_G")[1:]]
    heads, bodies = zip(*(chunk.split(";") for chunk in chunks), strict=True)
    assert heads[0].startswith("a=T,f=100,")
    assert heads[-1].endswith("m=0")
    with Image.open(BytesIO(b64decode("".join(bodies)))) as image:
        assert image.size == (48, 32)


@pytest.mark.parametrize(
    ("environment", "mark"),
    [
        (PLAIN, "▀"),
        ({"TERM_PROGRAM": "vscode"}, "▀"),
        ({**KITTY, "TMUX": "/tmp/tmux"}, "▀"),
        ({"TERM_PROGRAM": "ghostty"}, "\x1b_Ga=T"),
        ({"TERM_PROGRAM": "iTerm.app"}, "\x1b]1337;File=inline=1;"),
        ({"TERM_PROGRAM": "WezTerm"}, "\x1b]1337;File=inline=1;"),
    ],
)
def test_each_terminal_is_spoken_to_in_its_language(environment: dict[str, str], mark: str) -> None:
    assert mark in shown(picture(), environment)


def test_what_is_no_picture_is_not_drawn() -> None:
    assert drawn(b"after step 3", PLAIN) is None
    assert isinstance(drawn(picture("WEBP"), PLAIN), HalfBlocks)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "queued", "queue_position": 3}, "queued, 3 before it"),
        ({"status": "queued"}, "queued"),
        ({"stage": "encode", "progress": 0.02}, "encode"),
        ({"progress": 0.05}, "denoise, step 0 of 20"),
        ({"progress": 0.475}, "denoise, step 10 of 20"),
        ({"progress": 0.9}, "denoise, step 20 of 20"),
        ({"progress": 0.9, "input": {"num_inference_steps": 20, "strength": 0.6}}, "12 of 12"),
        ({"status": "canceled"}, "canceled"),
    ],
)
def test_what_happens_is_said_in_words(change: dict[str, Any], words: str) -> None:
    job = {
        "status": "running",
        "stage": "denoise",
        "queue_position": None,
        "input": {"num_inference_steps": 20, "strength": None},
    }
    assert doing(job | change).endswith(words)


def test_why_there_is_no_picture() -> None:
    assert why({"status": "canceled", "error": None}) == "the job was canceled"
