"""The tokenizer knows every word and character of every caption, in both languages."""

import random
from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from model.caption import LANGUAGES, phrase
from model.description import describe
from model.scene import sample_scene
from model.tokenizer import build_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    return build_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def test_captions_hold_no_unknown_token_and_fit(tokenizer: CLIPTokenizer) -> None:
    rng = random.Random(1)
    for _ in range(300):
        text = phrase(describe(sample_scene(rng), rng), rng.choice(LANGUAGES), rng)
        ids = tokenizer(text).input_ids
        assert tokenizer.unk_token_id not in ids[1:-1]
        assert len(ids) <= tokenizer.model_max_length


def test_one_token_for_a_word_and_for_a_character(tokenizer: CLIPTokenizer) -> None:
    assert len(tokenizer("a large turquoise triangle").input_ids) == 4 + 2
    assert len(tokenizer("红色的圆形").input_ids) == 5 + 2
    assert tokenizer("A Red Circle").input_ids == tokenizer("a red circle").input_ids


def test_strange_text_needs_no_unknown_token(tokenizer: CLIPTokenizer) -> None:
    ids = tokenizer("zebra ☃ 龍 ñ 42 🙂").input_ids
    assert tokenizer.unk_token_id not in ids[1:-1]


def test_saved_files_load_alike(tokenizer: CLIPTokenizer, tmp_path: Path) -> None:
    build_tokenizer(tmp_path)
    again = CLIPTokenizer.from_pretrained(tmp_path)
    assert again("蓝色背景，a ring").input_ids == tokenizer("蓝色背景，a ring").input_ids
    assert (tmp_path / "vocab.json").exists()
    assert (tmp_path / "merges.txt").exists()
