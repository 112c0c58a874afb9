"""A small CLIP tokenizer: one token for every word the captions use and every CJK character."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode as _bytes_to_unicode

from model import words

START, END, WORD_END = "<|startoftext|>", "<|endoftext|>", "</w>"
MAX_LENGTH = 77
_bytes: Any = _bytes_to_unicode
#: GPT-2's printable character for every byte.
BYTE_SYMBOLS: dict[int, str] = _bytes()
#: Ordinary words beside the templates' own, so that plain requests stay short.
EXTRA_WORDS = (
    "a an one please make show me two three shapes of is the there where and its colour color gray"
)
EXTRA_CHARACTERS = "枚请给我来张幅的是有在和与两三个只一二灰棕图画颜色背景前后里外旁边无没人"


def build_tokenizer(folder: Path) -> CLIPTokenizer:
    """Learn the merges, write `vocab.json` and `merges.txt` into `folder`, load them."""
    folder.mkdir(parents=True, exist_ok=True)
    symbols = list(BYTE_SYMBOLS.values())
    merges = _learn_merges(list(_units()))
    vocabulary = [*symbols, *(s + WORD_END for s in symbols), *("".join(m) for m in merges)]
    vocabulary += [START, END]
    ids = {token: i for i, token in enumerate(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tokenizer = CLIPTokenizer(
        vocab=str(folder / "vocab.json"),
        merges=str(folder / "merges.txt"),
        unk_token=END,
        pad_token=END,
        model_max_length=MAX_LENGTH,
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def _texts(value: Any) -> Iterator[str]:
    """Every string inside nested dicts and tuples."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from _texts(item)


def _units() -> Iterator[tuple[str, ...]]:
    """The symbols of every word and of every CJK character, inside a word and at its end."""
    tables = tuple(value for name, value in vars(words).items() if name.isupper())
    text = " ".join((*_texts(tables), EXTRA_WORDS, EXTRA_CHARACTERS)).lower()
    units = set(re.findall("[a-z]+", text))
    for unit in sorted(units):
        yield (*unit[:-1], unit[-1] + WORD_END)
    for character in sorted(set(re.findall(r"[^\x00-\x7f]", text))):
        symbols = [BYTE_SYMBOLS[byte] for byte in character.encode()]
        yield tuple(symbols)
        yield (*symbols[:-1], symbols[-1] + WORD_END)


def _learn_merges(units: list[tuple[str, ...]]) -> list[tuple[str, str]]:
    """Byte-pair merges, most frequent first, until every unit is one token."""
    merges: list[tuple[str, str]] = []
    while True:
        pairs = Counter(pair for unit in units for pair in pairwise(unit))
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        units = [_merge(unit, best) for unit in units]


def _merge(unit: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """Join every occurrence of `pair` in the unit."""
    merged: list[str] = []
    for symbol in unit:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return tuple(merged)
