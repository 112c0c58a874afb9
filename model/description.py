"""What a caption states about a scene: some attributes are named, the others are left open."""

import random
from dataclasses import dataclass

from model.scene import ARRANGEMENTS, COLOURS, POSITIONS, SHAPES, SIZES, Scene

#: How often each attribute is left out of a caption.
OPEN_SHARE = {
    "shape": 0.04,
    "colour": 0.06,
    "size": 0.3,
    "position": 0.25,
    "arrangement": 0.1,
    "background": 0.2,
}


@dataclass(frozen=True)
class DescribedThing:
    """One thing as named; None leaves an attribute open."""

    shape: str | None = None
    colour: str | None = None
    size: str | None = None


@dataclass(frozen=True)
class Description:
    """A whole caption's meaning; of two things the left, upper or first-named one comes first."""

    things: tuple[DescribedThing, ...] = ()
    background: str | None = None
    layout: str | None = None  # a position for one thing, an arrangement for two


NOTHING = Description()


def describe_fully(scene: Scene) -> Description:
    """The description that leaves nothing open."""
    things = tuple(DescribedThing(t.shape, t.colour, t.size) for t in scene.things)
    return Description(things, scene.background, scene.layout)


def describe(scene: Scene, rng: random.Random, fully_named: int | None = None) -> Description:
    """A description with attributes left open at random.

    `fully_named` is the index of a thing whose shape and colour are named for certain, and the
    background with them: a held-out combination has to be asked for in full.
    """

    def maybe(kind: str, value: str, is_certain: bool = False) -> str | None:
        return value if is_certain or rng.random() >= OPEN_SHARE[kind] else None

    things = tuple(
        DescribedThing(
            maybe("shape", thing.shape, i == fully_named),
            maybe("colour", thing.colour, i == fully_named),
            maybe("size", thing.size),
        )
        for i, thing in enumerate(scene.things)
    )
    layout_kind = "position" if len(things) == 1 else "arrangement"
    return Description(
        things,
        maybe("background", scene.background, fully_named is not None),
        maybe(layout_kind, scene.layout),
    )


#: The classes of every label; index 0 of each stands for "left open".
LABELS: dict[str, tuple[str, ...]] = {
    "background": tuple(COLOURS),
    "layout": (*POSITIONS, *ARRANGEMENTS),
    "count": ("1", "2"),
    "first shape": SHAPES,
    "first colour": tuple(COLOURS),
    "first size": tuple(SIZES),
    "second shape": SHAPES,
    "second colour": tuple(COLOURS),
    "second size": tuple(SIZES),
}


def label_ids(description: Description) -> list[int]:
    """The class index of every entry of LABELS, in its order."""
    values: dict[str, str | None] = {
        "background": description.background,
        "layout": description.layout,
        "count": str(len(description.things)) if description.things else None,
    }
    for name, thing in zip(("first", "second"), description.things, strict=False):
        values[f"{name} shape"] = thing.shape
        values[f"{name} colour"] = thing.colour
        values[f"{name} size"] = thing.size
    return [
        0 if (value := values.get(label)) is None else classes.index(value) + 1
        for label, classes in LABELS.items()
    ]
