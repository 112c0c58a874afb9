"""Signatures and the retry schedule."""

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook

from myriad.webhook import next_delay, sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SCHEDULE_S = [0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]


def test_the_published_example_of_the_standard() -> None:
    """Test vector of the reference implementations (standard-webhooks, libraries/)."""
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', at)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_any_zone_signs_the_same_moment() -> None:
    at = datetime.now(UTC)
    there = at.astimezone(timezone(timedelta(hours=8)))
    headers = sign(SECRET, "msg_1", b"{}", there)
    assert headers == sign(SECRET, "msg_1", b"{}", at)
    Webhook(SECRET).verify(b"{}", headers)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        sign(SECRET, "msg_1", b"{}", datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_schedule_with_its_jitter() -> None:
    rng = random.Random(1)
    for tries, seconds in enumerate(SCHEDULE_S):
        delays = [next_delay(tries, rng) for _ in range(200)]
        waits = [delay.total_seconds() for delay in delays if delay is not None]
        assert len(waits) == 200
        assert 0.8 * seconds <= min(waits) <= max(waits) <= 1.2 * seconds
        assert seconds == 0 or len(set(waits)) > 100
    assert next_delay(len(SCHEDULE_S), rng) is None
    assert next_delay(99, rng) is None
