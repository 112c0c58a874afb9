"""Judge a picture against what its caption asks for, attribute by attribute, by rules.

    check(image, scene)                   every attribute of a scene
    check(image, description)             only what a description names
    looks_like(image, shape="circle")     a yes or no for a few attributes

Needs numpy and PIL only, no model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

from PIL import Image

from model.description import DescribedThing, Description, describe_fully
from model.look import SeenThing, Sight, look
from model.scene import ARRANGEMENTS, POSITIONS, Scene

ATTRIBUTES = ("background", "count", "shape", "colour", "size", "layout")


@dataclass(frozen=True)
class Mark:
    """One attribute asked for, what the picture shows, and whether they agree."""

    attribute: str  # one of ATTRIBUTES
    asked: str
    seen: str

    @property
    def is_right(self) -> bool:
        """Whether the picture shows what was asked for."""
        return self.asked == self.seen


@dataclass(frozen=True)
class Verdict:
    """All marks of one picture."""

    marks: tuple[Mark, ...]

    @property
    def is_all_right(self) -> bool:
        """Whether every attribute asked for is right."""
        return all(mark.is_right for mark in self.marks)

    @property
    def wrong(self) -> tuple[Mark, ...]:
        """The marks that are not right."""
        return tuple(mark for mark in self.marks if not mark.is_right)

    def __str__(self) -> str:
        faults = "; ".join(f"{m.attribute}: asked {m.asked}, seen {m.seen}" for m in self.wrong)
        return faults or "all right"


def check(image: Image.Image, asked: Scene | Description) -> Verdict:
    """Judge `image` by everything a scene holds, or by what a description names.

    Things of a pair are compared in reading order; when the description leaves their arrangement
    open, in whichever order fits better. Layout is the place for one thing, the arrangement for
    two. A missing thing makes each of its attributes wrong.
    """
    description = describe_fully(asked) if isinstance(asked, Scene) else asked
    sight = look(image)
    orders = [_reading_order(sight, description.layout)]
    if description.layout not in ARRANGEMENTS:
        orders = [list(order) for order in permutations(sight.things[:3])]
    verdicts = [Verdict(tuple(_marks(sight, order, description))) for order in orders]
    return min(verdicts, key=lambda verdict: len(verdict.wrong))


def looks_like(
    image: Image.Image,
    *,
    shape: str | None = None,
    colour: str | None = None,
    size: str | None = None,
    position: str | None = None,
    background: str | None = None,
) -> bool:
    """Whether `image` shows exactly one thing, with the attributes that are given."""
    thing = DescribedThing(shape, colour, size)
    return check(image, Description((thing,), background, position)).is_all_right


def _reading_order(sight: Sight, layout: str | None) -> list[SeenThing]:
    """Things from left to right, or from top to bottom for a stacked pair."""
    if layout == "stacked":
        return sorted(sight.things, key=lambda thing: thing.y)
    return list(sight.things)


def _marks(sight: Sight, seen: list[SeenThing], asked: Description) -> Iterator[Mark]:
    """Every mark of one way to pair the things seen with the things asked for."""
    if asked.background is not None:
        yield Mark("background", asked.background, sight.background)
    if asked.things:
        yield Mark("count", str(len(asked.things)), str(len(sight.things)))
    for i, thing in enumerate(asked.things):
        found = seen[i] if i < len(seen) else None
        for attribute in ("shape", "colour", "size"):
            value = getattr(thing, attribute)
            if value is not None:
                yield Mark(attribute, value, getattr(found, attribute, "nothing"))
    if asked.layout is not None:
        yield Mark("layout", asked.layout, layout_of(seen))


def layout_of(seen: list[SeenThing]) -> str:
    """The nearest of the nine positions for one thing, the arrangement for two."""
    if len(seen) == 1:
        x, y = seen[0].x, seen[0].y
        return min(POSITIONS, key=lambda p: (POSITIONS[p][0] - x) ** 2 + (POSITIONS[p][1] - y) ** 2)
    if len(seen) == 2:
        is_wide = abs(seen[0].x - seen[1].x) > abs(seen[0].y - seen[1].y)
        return "side by side" if is_wide else "stacked"
    return f"{len(seen)} things"
