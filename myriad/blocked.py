"""Terms that the operator will not have drawn."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

from myriad.errors import ConfigError, ContentRefused

# Scripts written without spaces: CJK, kana, Hangul, Thai, Lao, Myanmar, Khmer.
_UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_LETTER: Final = rf"[^\W_{_UNSPACED}]"
_IS_UNSPACED: Final = re.compile(f"[{_UNSPACED}]")


class BlockedTerms:
    """Compared without regard to case, width, invisible characters and kind of space.

    A term that begins or ends with a letter of a script with spaces must begin or end a
    word there; one in Chinese, say, is found anywhere.
    """

    def __init__(self, terms: Iterable[str] = ()) -> None:
        plain = sorted({text for term in terms if (text := _plain(term).strip())})
        self._any = re.compile("|".join(map(_pattern, plain))) if plain else None

    @classmethod
    def read(cls, path: Path | None) -> Self:
        """One term a line; empty lines and those that begin with # are left out.

        Raises ConfigError if the file cannot be read.
        """
        if path is None:
            return cls()
        try:
            lines = path.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: the blocked terms cannot be read ({error})") from error
        return cls(line for line in lines if not line.lstrip().startswith("#"))

    def check(self, prompt: str) -> None:
        """Raise ContentRefused on `prompt`, which does not say what was found."""
        if self._any is not None and self._any.search(_plain(prompt)):
            raise ContentRefused("asks for something that this farm does not draw", field="prompt")


def _plain(text: str) -> str:
    """Compatibility letters as their plain ones, case folded, what cannot be seen left out."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(letter for letter in folded if unicodedata.category(letter) != "Cf")


def _pattern(term: str) -> str:
    words = r"\s+".join(map(re.escape, term.split()))
    before = "" if _stands_alone(term[0]) else f"(?<!{_LETTER})"
    after = "" if _stands_alone(term[-1]) else f"(?!{_LETTER})"
    return f"{before}{words}{after}"


def _stands_alone(letter: str) -> bool:
    return not letter.isalnum() or bool(_IS_UNSPACED.match(letter))
