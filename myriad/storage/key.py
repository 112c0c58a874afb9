"""What a storage key may look like."""

import re

_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_KEY = re.compile(rf"{_PART}(?:/{_PART})*", re.ASCII)
_MAX_LENGTH = 255


def is_key(text: str) -> bool:
    """Whether `text` is `part/part/…` with no part that starts with a dot.

    So `..`, absolute paths, control characters and our own hidden temporary
    files are no keys, on a folder as in a bucket.
    """
    return len(text) <= _MAX_LENGTH and _KEY.fullmatch(text) is not None
