"""Numbers as people type them into a form."""

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal

from myriad.errors import InvalidRequest

_WHOLE = re.compile(r"\d{1,16}", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,6}(\.\d{1,30})?", re.ASCII)


def whole(form: Mapping[str, str], name: str) -> int | None:
    """The whole number in that field, None if it is empty. Raises InvalidRequest on it."""
    text = _number(form, name, _WHOLE, name)
    return int(text) if text else None


def decimal(form: Mapping[str, str], name: str, field: str = "") -> float | None:
    """The decimal in that field, None if it is empty. Raises InvalidRequest on `field`."""
    text = _number(form, name, _DECIMAL, field or name)
    return float(text) if text else None


def written(number: float) -> str:
    """The decimal as the form shows it; read again, it is the very same."""
    return f"{Decimal(repr(float(number))).normalize():f}"


def _number(form: Mapping[str, str], name: str, shape: re.Pattern[str], field: str) -> str | None:
    # Full-width digits are what a Chinese keyboard types.
    text = unicodedata.normalize("NFKC", form.get(name, "")).strip()
    if text and not shape.fullmatch(text):
        raise InvalidRequest("must be a number", field=field)
    return text or None
