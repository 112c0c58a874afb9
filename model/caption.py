"""Turn a description into words, English or Chinese, never naming what it leaves open."""

import random
from typing import Literal

from model.description import NOTHING, DescribedThing, Description
from model.words import (
    BACKGROUND_TEMPLATES,
    COLOUR_WORDS,
    DISTRACTORS,
    OPEN_SHAPE,
    OPENINGS,
    PAIR_TEMPLATES,
    POSITION_WORDS,
    SHAPE_WORDS,
    SINGLE_TEMPLATES,
    SIZE_WORDS,
)

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
DISTRACTOR_SHARE = 0.24


def phrase(description: Description, language: Language, rng: random.Random) -> str:
    """One caption of the description; about a quarter of them carry words that mean nothing."""
    if not description.things:
        return _distractors(language, rng) if rng.random() < 0.4 else ""
    text = _things(description, language, rng)
    if description.background is not None:
        colour = rng.choice(COLOUR_WORDS[language][description.background])
        text = rng.choice(BACKGROUND_TEMPLATES[language]).format(x=text, c=colour)
    if rng.random() < 0.2:
        text = rng.choice(OPENINGS[language]) + text
    if rng.random() < DISTRACTOR_SHARE:
        extra, comma = _distractors(language, rng), _comma(language)
        text = f"{extra}{comma}{text}" if rng.random() < 0.5 else f"{text}{comma}{extra}"
    return _finish(text, language, rng)


def unconditional(rng: random.Random) -> str:
    """The caption of guidance's other half: empty, or words that name nothing."""
    return phrase(NOTHING, rng.choice(LANGUAGES), rng)


def _things(description: Description, language: Language, rng: random.Random) -> str:
    """The thing and where it is, or the two things and how they stand."""
    names = [_thing(thing, language, rng) for thing in description.things]
    if len(names) == 2:
        template = rng.choice(PAIR_TEMPLATES[language][description.layout])
        return template.format(a=names[0], b=names[1])
    if description.layout is None:
        return names[0]
    where = rng.choice(POSITION_WORDS[language][description.layout])
    return rng.choice(SINGLE_TEMPLATES[language]).format(a=names[0], p=where)


def _thing(thing: DescribedThing, language: Language, rng: random.Random) -> str:
    """A noun phrase: "a small red circle", "一个小的红色圆形"."""
    shapes = SHAPE_WORDS[language][thing.shape] if thing.shape else OPEN_SHAPE[language]
    shape = rng.choice(shapes)
    colour = rng.choice(COLOUR_WORDS[language][thing.colour]) if thing.colour else ""
    size = rng.choice(SIZE_WORDS[language][thing.size]) if thing.size else ""
    return (_english if language == "en" else _chinese)(size, colour, shape, rng)


def _english(size: str, colour: str, shape: str, rng: random.Random) -> str:
    words = " ".join(word for word in (size, colour, shape) if word)
    roll = rng.random()
    if roll < 0.25:
        return words
    if roll < 0.35:
        return f"one {words}"
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _chinese(size: str, colour: str, shape: str, rng: random.Random) -> str:
    if size and not size.endswith("的") and (size == "中等" or rng.random() < 0.5):
        size += "的"
    has_link = len(colour) > 1 and rng.random() < 0.5
    parts = [size, colour + "的" if has_link else colour]
    if size and has_link and rng.random() < 0.4:
        parts.reverse()
    counter = rng.choice(("一个", "一个", "一枚", ""))
    return counter + "".join(parts) + shape


def _distractors(language: Language, rng: random.Random) -> str:
    words = rng.sample(DISTRACTORS[language], rng.randint(1, 3))
    if rng.random() < 0.1:
        words.append("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 8))))
    return _comma(language).join(words)


def _comma(language: Language) -> str:
    return ", " if language == "en" else "，"


def _finish(text: str, language: Language, rng: random.Random) -> str:
    """A capital and a full stop now and then; CLIP's tokenizer lowers the case."""
    if rng.random() < 0.15:
        text += "." if language == "en" else "。"
    if language == "zh" and rng.random() < 0.1:
        text = text.replace("，", ", ")
    return text
