"""The lines of a batch: one request each, known by what it says and not by where it stands."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myriad.cli.group import system_words
from myriad.client.picture import FIELDS
from myriad.errors import InvalidRequest

_OURS = ("self", "idempotency_key")
"""Names that mean something to the client; no field of a request is called so."""

_KEY_CHARS = 40


@dataclass(frozen=True)
class Line:
    """Line `number`, from 1; what it asks for, or what is wrong with it.

    `key` is of its content, the pictures it names included: the same line has the
    same key wherever it stands, its repeats keys of their own.
    """

    number: int
    key: str
    asked: dict[str, Any]
    problem: str | None = None


def read_lines(file: Path) -> list[Line]:
    """Every line but empty ones. Raises OSError, and InvalidRequest if the file is not UTF-8."""
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{file} is not UTF-8: {error.reason}") from error
    numbered = enumerate(text.split("\n"), 1)
    filled = ((number, line) for number, line in numbered if line.strip())
    return list(_keyed(filled, file.parent))


def with_pictures(
    asked: dict[str, Any], folder: Path, stand_in: Callable[[Path], Any]
) -> dict[str, Any]:
    """The request with a stand-in for each picture that it names by a file of `folder`."""

    def taken(part: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
        files = {field: path for field in fields if (path := _file(part.get(field), folder))}
        return part | {field: stand_in(path) for field, path in files.items()}

    done = taken(asked, FIELDS)
    if controlnets := asked.get("controlnets"):
        done["controlnets"] = [taken(use, ("image",)) for use in controlnets]
    return done


def _keyed(numbered: Iterator[tuple[int, str]], folder: Path) -> Iterator[Line]:
    seen: Counter[str] = Counter()
    for number, text in numbered:
        asked, problem = _asked(text)
        try:
            content = with_pictures(asked, folder, _digest)
        except OSError as error:
            content, problem = asked, system_words(error)
        except ValueError:
            content, problem = asked, "a picture's name has a NUL in it"
        said = json.dumps(content, sort_keys=True) if asked else text
        digest = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:_KEY_CHARS]
        seen[digest] += 1
        yield Line(number, f"{digest}-{seen[digest]}", asked, problem)


def _asked(text: str) -> tuple[dict[str, Any], str | None]:
    try:
        asked = json.loads(text)
        json.dumps(asked, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        return {}, f"not JSON: {error}"
    if not isinstance(asked, dict):
        return {}, "not a JSON object"
    if not isinstance(asked.get("prompt"), str):
        return {}, "prompt: must be text"
    if unknown := next((name for name in asked if name in _OURS), None):
        return {}, f"{unknown}: there is no such field"
    controlnets = asked.get("controlnets") or []
    if not isinstance(controlnets, list) or not all(isinstance(use, dict) for use in controlnets):
        return {}, "controlnets: must be a list of objects"
    return asked, None


def _file(value: object, folder: Path) -> Path | None:
    """The file a field names; None for an input's id, a data URI and what is no text."""
    if not isinstance(value, str) or value.startswith("data:"):
        return None
    is_id = len(value) == 64 and set(value) <= set("0123456789abcdef")
    return None if is_id or not value else folder / value


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
