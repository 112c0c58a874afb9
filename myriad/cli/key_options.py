"""What the options of `myriad keys` are written like: `30d`, a date, `max_queued=100`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from myriad import clock
from myriad.errors import InvalidRequest
from myriad.key import check_limits

_DURATION = re.compile(r"(\d{1,5})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Duration(click.ParamType[timedelta]):
    """A number and a unit: `90s`, `30m`, `24h`, `7d`, `4w`."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> timedelta:
        if isinstance(value, timedelta):
            return value
        span = _duration(value)
        return span if span is not None else self.fail("must be like 90s, 30m, 24h, 7d or 4w")


class Moment(click.ParamType[datetime]):
    """A time to come: a duration from now, or a date, which begins at midnight UTC."""

    name = "moment"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        if isinstance(value, datetime):
            return value
        span = _duration(value)
        try:
            moment = clock.now() + span if span is not None else _date(value)
        except (ValueError, OverflowError):
            self.fail("must be like 30d or 2030-12-31")
        return moment if moment > clock.now() else self.fail("is past already")


class KeyLimit(click.ParamType[tuple[str, float]]):
    """`NAME=NUMBER`, NAME being one of those a key may have."""

    name = "limit"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        name, _, number = value.partition("=")
        try:
            return (name, check_limits({name: float(number)})[name])
        except ValueError:
            self.fail("must be NAME=NUMBER")
        except InvalidRequest as error:
            self.fail(f"{error.field}: {error.message}")


def _duration(text: str) -> timedelta | None:
    match = _DURATION.fullmatch(text)
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None


def _date(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
