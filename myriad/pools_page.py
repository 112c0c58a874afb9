"""docs/pools.md, from `myriad/pool.py`: every key of a `[[pool]]`."""

from enum import Enum
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import ByteSize
from pydantic.fields import FieldInfo

from myriad.pool import Pool

_HEAD: Final = """\
# pools.toml

Who does what: each `[[pool]]` is workers of one configuration, started by `myriad up` or by
`myriad worker NAME`. `MYRIAD_POOLS` names the file, for every process; without it one pool serves
every stage on this machine's CPU. `myriad doctor` recommends one for a machine. Examples:
[laptop.toml](../myriad/profiles/laptop.toml) (what is served without a file),
[farm.toml](../myriad/profiles/farm.toml) (each stage where it is cheap, in the precision that suits
it), [pools.toml](../deploy/pools.toml) and [pools-gpu.toml](../deploy/pools-gpu.toml) (Docker).
What the engine's options do: [engine.md](engine.md#options-of-a-pool). Written by `make docs` from
`myriad/pool.py`.

| key | default | meaning |
|---|---|---|
"""


def pools_page() -> str:
    """docs/pools.md."""
    rows = (
        f"| `{name}` | {_default(field)} | {field.description}{_choices(field.annotation)} |\n"
        for name, field in Pool.model_fields.items()
    )
    return _HEAD + "".join(rows)


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if field.is_required():
        return "required"
    if value in ((), ""):
        return ""
    return f"`{_written(value)}`"


def _written(value: Any) -> str:
    """As TOML has it."""
    if isinstance(value, ByteSize):
        return f'"{int(value) // 2**30}GiB"' if value else "0"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _choices(kind: Any) -> str:
    """The words that it may be."""
    if get_origin(kind) is tuple:
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        return f" One of {', '.join(f'`{choice}`' for choice in get_args(kind))}."
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f" Of {', '.join(f'`{choice.value}`' for choice in kind)}."
    return ""
