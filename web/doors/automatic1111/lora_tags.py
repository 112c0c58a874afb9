"""`<lora:name:0.8>` in a prompt: how AUTOMATIC1111's users name LoRAs."""

import re
from dataclasses import dataclass

_TAG = re.compile(r"<(\w{1,32}):([^<>:]{1,200})((?::[^<>:]{0,64}){0,8})>")
_NUMBER = re.compile(r"(?:unet=)?(-?\d{1,3}(?:\.\d{1,9})?|-?\.\d{1,9})")


@dataclass(frozen=True)
class Tagged:
    """A prompt without its tags, the weight of each LoRA they name, and tags of other kinds."""

    prompt: str
    loras: dict[str, float]
    others: tuple[str, ...]


def read_tags(prompt: str) -> Tagged:
    """Take the tags out; the last one of a name counts, and a weight not given is 1."""
    loras: dict[str, float] = {}
    others: list[str] = []

    def take(tag: re.Match[str]) -> str:
        kind, name, rest = tag.groups()
        if kind.lower() == "lora":
            loras[name.strip()] = _weight(rest)
        else:
            others.append(f"<{kind}:{name}>")
        return ""

    text = _TAG.sub(take, prompt)
    is_tagged = bool(loras or others)
    return Tagged(re.sub(r" {2,}", " ", text).strip() if is_tagged else text, loras, tuple(others))


def _weight(rest: str) -> float:
    """`:0.8` and `:te=1:unet=0.8` alike: one weight for the whole LoRA here."""
    for part in reversed(rest.split(":")):
        if number := _NUMBER.fullmatch(part.strip()):
            return float(number[1])
    return 1.0
