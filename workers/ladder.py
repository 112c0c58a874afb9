"""What is tried when a request alone does not fit the device's memory, one rung after another.

Fewer rows come first and are the hub's affair; another pool and giving up come last
and are the affair of `tasks`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from myriad.errors import OutOfMemory
from myriad.job import Stage
from workers.batching.meeting import beneath
from workers.batching.request import current_request
from workers.loaded import LoadedModel
from workers.options.offload import is_offloaded, offload
from workers.options.option import denoisers, loaded_vae

Result = TypeVar("Result")


@dataclass(frozen=True)
class Rung:
    """`climb` changes something, or says False if that is no help here; `descend` undoes it.

    With `is_private` it changes what others would use too: until then nobody else runs.
    """

    name: str
    climb: Callable[[LoadedModel], bool]
    descend: Callable[[LoadedModel], object] = lambda loaded: None
    is_private: bool = False


@contextmanager
def _descending(loaded: LoadedModel) -> Iterator[list[Rung]]:
    """The rungs climbed so far; at the end they are left in reverse."""
    climbed: list[Rung] = []
    try:
        yield climbed
    finally:
        for rung in reversed(climbed):
            rung.descend(loaded)
        _stay_apart(False)


def climb(
    loaded: LoadedModel,
    rungs: Sequence[Rung],
    attempt: Callable[[], Result],
    note: Callable[[str], None],
) -> Result:
    """`attempt()`, again after each rung for as long as memory runs out; each is noted.

    Raises OutOfMemory when there are no more rungs.
    """
    remaining = iter(rungs)
    with _descending(loaded) as climbed:
        while True:
            try:
                return attempt()
            except OutOfMemory:
                loaded.device.free_cache()
                rung = next((each for each in remaining if each.climb(loaded)), None)
                if rung is None:
                    raise
            climbed.append(rung)
            _stay_apart(rung.is_private)
            note(f"out of memory: {rung.name}")


def _stay_apart(apart: bool) -> None:
    """Let nobody else run while what is shared is not as they expect it."""
    if request := current_request():
        request.is_apart = apart


def rungs_for(stage: Stage, spare: Callable[[], bool]) -> Sequence[Rung]:
    """The ladder of a stage. `spare` lets other models leave the device."""
    first = Rung("other models left the device", lambda loaded: spare())
    if stage is Stage.DENOISE:
        return (first, Rung("the denoiser's layers wait off the device", _offload))
    is_decoding = stage is Stage.DECODE

    def rung(how: str, what: str) -> Rung:
        on, off = (_switch(what, turn, is_decoding=is_decoding) for turn in (True, False))
        return Rung(f"the VAE works {how}", on, off, is_private=True)

    return (first, rung("image by image", "slicing"), rung("tile by tile", "tiling"))


def _switch(what: str, on: bool, *, is_decoding: bool) -> Callable[[LoadedModel], bool]:
    def switch(loaded: LoadedModel) -> bool:
        vae: Any = loaded.decoder if is_decoding else loaded_vae(loaded.pipe)
        if vae is None or getattr(vae, f"use_{what}", on) == on:
            return False
        getattr(vae, f"{'enable' if on else 'disable'}_{what}")()
        return True

    return switch


def _offload(loaded: LoadedModel) -> bool:
    """Once done it stays: the next request would run out of memory as well."""
    modules = [each for each in denoisers(loaded.family, loaded.pipe) if not is_offloaded(each)]
    device = loaded.device.torch_device
    loaded.can_wait = loaded.can_wait and not modules
    return bool(modules) and all(
        beneath(module, lambda each: offload(each, device, to_disk=device.type == "cpu"))
        for module in modules
    )
