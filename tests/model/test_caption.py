"""Captions name what their description names, and nothing else, in both languages."""

import random

import pytest

from model.caption import LANGUAGES, Language, phrase, unconditional
from model.description import (
    LABELS,
    NOTHING,
    DescribedThing,
    Description,
    describe,
    describe_fully,
    label_ids,
)
from model.scene import sample_scene
from model.words import COLOUR_WORDS, DISTRACTORS, POSITION_WORDS, SHAPE_WORDS, SIZE_WORDS

CIRCLE = Description((DescribedThing("circle", "red", None),), None, None)


def _names(text: str, word: str, language: Language) -> bool:
    """Whether `text` holds `word`: as a whole word in English, as characters in Chinese."""
    if language == "zh":
        return word in text
    padded = "".join(c if c.isalnum() else " " for c in text.lower())
    return f" {word} " in f" {padded} "


@pytest.mark.parametrize("language", LANGUAGES)
def test_open_attributes_are_never_named(language: Language) -> None:
    rng = random.Random(1)
    for _ in range(200):
        text = phrase(CIRCLE, language, rng)
        text = text.replace("一张图", "").replace("一幅画", "").replace("draw", "")
        for colour, names in COLOUR_WORDS[language].items():
            assert colour == "red" or not any(_names(text, n, language) for n in names)
        for shape, names in SHAPE_WORDS[language].items():
            assert shape == "circle" or not any(_names(text, n, language) for n in names)
        for names in (*SIZE_WORDS[language].values(), *POSITION_WORDS[language].values()):
            assert not any(_names(text, n, language) for n in names), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_named_attribute_is_said(language: Language) -> None:
    rng = random.Random(2)
    for _ in range(200):
        meaning = describe(sample_scene(rng), rng)
        text = phrase(meaning, language, rng)
        for thing in meaning.things:
            for table, value in (
                (COLOUR_WORDS, thing.colour),
                (SHAPE_WORDS, thing.shape),
                (SIZE_WORDS, thing.size),
            ):
                if value is not None:
                    assert any(_names(text, n, language) for n in table[language][value]), text


def test_distractors_name_nothing() -> None:
    tables = (COLOUR_WORDS, SHAPE_WORDS, SIZE_WORDS, POSITION_WORDS)
    for language in LANGUAGES:
        for text in DISTRACTORS[language]:
            for table in tables:
                for names in table[language].values():
                    assert not any(_names(text, n, language) for n in names), text


def test_unconditional_captions_are_often_empty() -> None:
    rng = random.Random(3)
    texts = [unconditional(rng) for _ in range(200)]
    assert 0.5 < texts.count("") / len(texts) < 0.7


def test_labels_say_what_a_description_says() -> None:
    scene = sample_scene(random.Random(4), pair_share=1.0)
    full = dict(zip(LABELS, label_ids(describe_fully(scene)), strict=True))
    assert all(full.values())
    assert LABELS["second shape"][full["second shape"] - 1] == scene.things[1].shape
    assert not any(label_ids(NOTHING))


def test_a_held_out_combination_is_named_in_full() -> None:
    rng = random.Random(5)
    for _ in range(100):
        scene = sample_scene(rng, pair_share=1.0)
        meaning = describe(scene, rng, fully_named=1)
        assert meaning.background == scene.background
        assert meaning.things[1].shape == scene.things[1].shape
        assert meaning.things[1].colour == scene.things[1].colour
