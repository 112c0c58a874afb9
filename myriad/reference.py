"""The pages of docs/ that come from the code: `python -m myriad.reference docs` writes them."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from myriad import errors
from myriad.cli.reference import cli_page
from myriad.errors import MyriadError
from myriad.pools_page import pools_page
from myriad.settings import Settings

_SETTINGS_HEAD = """\
# Settings

Every process of a farm reads these from its environment, once, when it starts; bad values are
all reported together. Written by `make docs` from `myriad/settings.py`.

The [commands](cli.md) that talk to a running farm take its address and API key from `--url` and
`--key`, or from `MYRIAD_URL` and `MYRIAD_KEY`.

| variable | default | meaning |
|---|---|---|
"""

_ERRORS_HEAD = """\
# Errors

Every route answers errors as `{"error": {"code", "message", "field"?}}`, and a job that failed
carries the same in its `error`. `code` is stable; `message` is for people. Where a retry by
itself can help, the answer has a `Retry-After` header. Written by `make docs` from
`myriad/errors.py`.

| code | status | retry | meaning |
|---|---|---|---|
"""


def settings_page() -> str:
    """docs/settings.md."""
    rows = (
        f"| `MYRIAD_{name.upper()}` | {_default(field)} | {field.description}{_choices(field)} |\n"
        for name, field in Settings.model_fields.items()
    )
    return _SETTINGS_HEAD + "".join(rows)


def errors_page() -> str:
    """docs/errors.md."""
    rows = (
        f"| `{kind.code}` | {kind.status} | {'yes' if kind.is_retryable else 'no'} | {text} |\n"
        for kind, text in _error_tree()
    )
    return _ERRORS_HEAD + "".join(rows)


def write(folder: Path) -> None:
    """Write the pages into `folder`."""
    folder.mkdir(exist_ok=True)
    (folder / "settings.md").write_text(settings_page(), "utf-8")
    (folder / "errors.md").write_text(errors_page(), "utf-8")
    (folder / "pools.md").write_text(pools_page(), "utf-8")
    (folder / "cli.md").write_text(cli_page(), "utf-8")


def _default(field: FieldInfo) -> str:
    value = field.default
    if value in (None, "", (), SecretStr("")):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _choices(field: FieldInfo) -> str:
    if get_origin(field.annotation) is not Literal:
        return ""
    return f" One of {', '.join(f'`{choice}`' for choice in get_args(field.annotation))}."


def _error_tree() -> Iterator[tuple[type[MyriadError], str]]:
    """Each class the tree in the module's docstring draws, with its sentence."""
    for name, text in re.findall(r"^[│├└─ ]*(\w+) {2,}(.+)$", errors.__doc__ or "", re.MULTILINE):
        yield getattr(errors, name), text


if __name__ == "__main__":
    write(Path(sys.argv[1]))
