"""Sending webhooks: signed, patient, and never to where the sender could be misused."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import requests
from requests_hardened.ip_filter import InvalidIPAddress
from standardwebhooks import Webhook
from urllib3.exceptions import HTTPError

from myriad.address import check_webhook_url
from myriad.errors import InvalidRequest
from myriad.hangup import Hangup
from myriad.outbound import outbound_session

_MAX_ANSWER_BYTES = 65_536
# The Standard Webhooks schedule: ten tries within about three days.
_SCHEDULE = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
_JITTER = 0.2
_TOO_LATE = "no answer in time"


def sign(secret: str, msg_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """The three `webhook-*` headers for exactly these bytes (UTF-8), sent at `at` (aware).

    `msg_id` stays the same over all tries; `at` is fresh for each.
    """
    if at.tzinfo is None:
        raise ValueError("a signature needs an aware time")
    at = at.astimezone(UTC)  # the library takes any time for UTC
    return {
        "webhook-id": msg_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(msg_id, at, body.decode()),
    }


def next_delay(tries: int, rng: random.Random) -> timedelta | None:
    """How long to wait after `tries` tries, give or take 20 %; None: give up."""
    if tries >= len(_SCHEDULE):
        return None
    return _SCHEDULE[tries] * rng.uniform(1 - _JITTER, 1 + _JITTER)


def longest_delays() -> tuple[timedelta, ...]:
    """The longest pause that `next_delay` makes after 0, 1, 2 … tries."""
    return tuple(pause * (1 + _JITTER) for pause in _SCHEDULE)


@dataclass(frozen=True)
class Receipt:
    """What came of one try: an HTTP status, or the reason why there is none."""

    status: int | None = None
    error: str | None = None

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """The receiver wants no more of them."""
        return self.status == 410

    @property
    def is_well(self) -> bool:
        """The host itself is in order, whatever it thinks of this one delivery."""
        return self.status is not None and self.status < 500 and self.status != 429


class Sender:
    """Posts to addresses that callers gave us.

    `allow` lists networks (CIDR) that may be reached though private. One post
    takes `timeout_s` seconds at most, after the name has been resolved.
    """

    def __init__(self, allow: Iterable[str], timeout_s: float) -> None:
        self._allow = tuple(allow)
        self._timeout_s = timeout_s

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Receipt:
        """Send once and say what came of it; never raises for what the receiver does.

        The status decides. What follows it is read, up to 64 KiB, and dropped:
        an answer shown to the caller could be one from inside our network.
        """
        hangup = Hangup(self._timeout_s)
        try:
            check_webhook_url(url, self._allow)
            with hangup, outbound_session(self._allow, self._timeout_s, hangup) as session:
                answer = session.post(
                    url,
                    data=body,
                    headers={"Content-Type": "application/json", **headers},
                    stream=True,
                    allow_redirects=False,
                )
                is_cut = hangup.is_over  # in the middle of the headers, perhaps
                with answer:
                    _drain(answer)
        except InvalidRequest as error:
            return Receipt(error=f"the address {error.message}")
        except InvalidIPAddress:
            return Receipt(error="the name leads to a private or reserved address")
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            return Receipt(error=_reason(error, hangup))
        return Receipt(error=_TOO_LATE) if is_cut else Receipt(status=answer.status_code)


def _drain(answer: requests.Response) -> None:
    """Let a polite receiver finish its answer; still compressed, so that no bomb unfolds."""
    try:
        answer.raw.read(_MAX_ANSWER_BYTES, decode_content=False)
    except (HTTPError, OSError):
        return  # it had already said what we wanted to know


def _reason(error: Exception, hangup: Hangup) -> str:
    if hangup.is_over or isinstance(error, requests.Timeout):
        return _TOO_LATE
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS failed"
    return f"no connection: {type(error).__name__}"
