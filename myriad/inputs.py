"""Where pictures that callers handed in are kept."""

INPUT_TYPE = "image/png"
INPUT_PREFIX = "inputs/"


def input_key(digest: str) -> str:
    """The storage key of the input with that SHA-256 (64 hex digits) of its PNG bytes."""
    return f"{INPUT_PREFIX}{digest[:2]}/{digest}.png"
