"""The `Prefer` header of RFC 7240, as far as `wait` goes."""

import re

_WAIT = re.compile(r"\s*wait\s*(?:=\s*\"?(\d{1,6})\"?)?\s*", re.IGNORECASE | re.ASCII)


def wait_seconds(prefer: str | None, most: float) -> float:
    """How long the caller would have us wait, at most `most` seconds; 0 without `wait`.

    A preference we cannot read is ignored, as the RFC asks.
    """
    for preference in (prefer or "").split(","):
        match = _WAIT.fullmatch(preference.partition(";")[0])
        if match:
            return min(float(match[1]), most) if match[1] else most
    return 0.0
