"""A picture in a terminal: by its own protocol where it has one, else of half blocks."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from io import BytesIO

from PIL import Image, UnidentifiedImageError
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.control import Control
from rich.segment import ControlType, Segment
from rich.style import Style

_MOST_COLUMNS = 64
_ROOM_LEFT = 6
"""Lines that stay free for the bar and what was there before."""

_AS_IS = [(ControlType.CURSOR_FORWARD, 0)]  # keeps Rich from measuring a sequence as text
_CHUNK = 4096
_PICTURE_ID = 8600
"""Ours in kitty: the next picture takes the place of the one before."""


class HalfBlocks:
    """Two pixels a character, the upper its colour and the lower its background."""

    def __init__(self, picture: Image.Image) -> None:
        self._picture = picture

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns, rows = size_in_cells(self._picture, console)
        small = self._picture.resize((columns, 2 * rows)).tobytes()
        pixels = [Color.from_rgb(*small[at : at + 3]) for at in range(0, len(small), 3)]
        for row in range(rows):
            start = 2 * row * columns
            for upper in range(start, start + columns):
                style = Style(color=pixels[upper], bgcolor=pixels[upper + columns])
                yield Segment("▀", style)
            yield Segment.line()


class Inline:
    """The picture itself, by an escape sequence of the terminal's own."""

    def __init__(self, picture: Image.Image) -> None:
        self._picture = picture
        file = BytesIO()
        picture.save(file, "PNG")
        self._data = b64encode(file.getvalue()).decode()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns, rows = size_in_cells(self._picture, console)
        for _ in range(rows):  # so that Rich knows how much room it takes
            yield Segment(" " * columns)
            yield Segment.line()
        yield Segment("\x1b7", control=_AS_IS)
        yield Control.move(0, -rows).segment
        for sequence in self._sequences(self._data, columns, rows):
            yield Segment(sequence, control=_AS_IS)
        yield Segment("\x1b8", control=_AS_IS)

    def _sequences(self, data: str, columns: int, rows: int) -> Iterator[str]:
        raise NotImplementedError


class Kitty(Inline):
    """https://sw.kovidgoyal.net/kitty/graphics-protocol/"""

    def _sequences(self, data: str, columns: int, rows: int) -> Iterator[str]:
        place = f"a=T,f=100,i={_PICTURE_ID},p=1,c={columns},r={rows},C=1,q=2,"
        for start in range(0, len(data), _CHUNK):
            more = int(start + _CHUNK < len(data))
            yield f"\x1b_G{'' if start else place}m={more};{data[start : start + _CHUNK]}\x1b\\"


class ITerm(Inline):
    """https://iterm2.com/documentation-images.html"""

    def _sequences(self, data: str, columns: int, rows: int) -> Iterator[str]:
        yield f"\x1b]1337;File=inline=1;width={columns};height={rows}:{data}\x07"


Drawn = HalfBlocks | Inline


def drawn(data: bytes, environment: Mapping[str, str]) -> Drawn | None:
    """The picture as the terminal that `environment` tells of can show it; None if it is none."""
    try:
        with Image.open(BytesIO(data)) as opened:
            return _kind(environment)(opened.convert("RGB"))
    except (UnidentifiedImageError, OSError):
        return None  # a video, or a preview of another kind


def clear_pictures(console: Console, environment: Mapping[str, str]) -> None:
    """Take away what text does not overwrite."""
    if _kind(environment) is Kitty:
        console.file.write(f"\x1b_Ga=d,d=I,i={_PICTURE_ID},q=2\x1b\\")


def size_in_cells(picture: Image.Image, console: Console) -> tuple[int, int]:
    """Columns and rows that keep its shape, a cell being twice as high as wide."""
    most_rows = max(2, console.height - _ROOM_LEFT)
    most_columns = max(2, min(_MOST_COLUMNS, console.width))
    scale = min(most_columns / picture.width, 2 * most_rows / picture.height)
    return max(1, round(picture.width * scale)), max(1, round(picture.height * scale / 2))


def _kind(environment: Mapping[str, str]) -> type[Drawn]:
    """By name alone: a question to the terminal would take away what is typed meanwhile."""
    if "TMUX" in environment or "STY" in environment:
        return HalfBlocks
    terminal = environment.get("TERM_PROGRAM", "").lower()
    if "KITTY_WINDOW_ID" in environment or terminal in ("kitty", "ghostty"):
        return Kitty
    return ITerm if terminal in ("iterm.app", "wezterm") else HalfBlocks
