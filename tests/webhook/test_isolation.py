"""A receiver that hangs or fails costs the others nothing, and loses nothing itself (R18)."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import select, update

from myriad import clock
from myriad.address import host_of
from myriad.breaker import BreakerState
from myriad.claimant import Claimant
from myriad.db.deliveries import take_deliveries
from myriad.db.intake import submit
from myriad.db.tables import WebhookDeliveryRow
from myriad.embedded import EmbeddedValkey
from myriad.endpoint_breaker import RULE, EndpointBreakers
from myriad.farm import Farm, open_farm
from myriad.settings import Settings
from tasks.sender import WebhookSender
from tests.db.steps import run_whole
from tests.processes import wait_until
from tests.submissions import make_submission
from tests.webhook.peers import LOOPBACK, Receiver, receiving, status

WORKER = Claimant("all@host.1.aa", "all", "cpu")
_ROUNDS = 200


@pytest.fixture
def farm(tmp_path: Path, redis_url: str, migrated_url: str) -> Iterator[Farm]:
    settings = Settings(
        home=tmp_path / "home",
        database_url=migrated_url,
        redis_url=redis_url,
        webhook_allow=",".join(LOOPBACK),
        webhook_timeout_s=60,
    )
    farm = open_farm(settings)
    yield farm
    farm.close()


@pytest.fixture
def sender(farm: Farm) -> Iterator[WebhookSender]:
    sender = WebhookSender(farm)
    yield sender
    sender.close()


@pytest.fixture
def receivers(sender: WebhookSender) -> Iterator[list[Receiver]]:
    """Two, closed before the sender that waits for them is."""
    with ExitStack() as stack:
        yield [stack.enter_context(receiving()) for _ in range(2)]


def owe(farm: Farm, receiver: Receiver, many: int) -> None:
    """Three deliveries for each of so many finished jobs."""
    for _ in range(many):
        asked = make_submission(use_cache=False, webhook=receiver.url)
        run_whole(farm.db, submit(farm.db, asked).job_id, WORKER)


def run_until(sender: WebhookSender, is_done: Callable[[], bool]) -> None:
    for _ in range(_ROUNDS):
        if is_done():
            return
        sender.run()
    pytest.fail("the sender is held up")


def states(farm: Farm, receiver: Receiver) -> list[str]:
    query = select(WebhookDeliveryRow.state).where(WebhookDeliveryRow.url == receiver.url)
    with farm.db.read() as session:
        return list(session.scalars(query))


def test_one_that_hangs_holds_up_no_other(
    farm: Farm, sender: WebhookSender, receivers: list[Receiver]
) -> None:
    hanging, well = receivers
    hanging.answer = lambda _: (hanging.closing.wait(60), None)[1]
    owe(farm, hanging, 10)
    owe(farm, well, 3)
    run_until(sender, lambda: states(farm, well) == ["delivered"] * 9)
    assert set(states(farm, hanging)) == {"pending"}
    assert len(hanging.received) <= 4


def test_one_that_fails_is_left_alone_and_gets_all_later(
    farm: Farm, sender: WebhookSender, receivers: list[Receiver]
) -> None:
    failing, well = receivers
    failing.answer = status(500)
    owe(farm, failing, 6)
    owe(farm, well, 2)
    breakers, host = EndpointBreakers(farm.redis), host_of(failing.url)
    run_until(sender, lambda: host in breakers.found())
    run_until(sender, lambda: states(farm, well) == ["delivered"] * 6)
    assert len(failing.received) < 12
    assert breakers.found()[host].state(clock.now()) is BreakerState.OPEN
    # Tries that were under way when the breaker opened end first.
    wait_until(lambda: all(future.done() for future in sender._under_way), what="they end")
    tried = len(failing.received)
    for _ in range(3):
        sender.run()
    assert len(failing.received) == tried
    failing.answer = status(204)
    let_breakers_half_open(farm.redis)
    with farm.db.write() as session:
        session.execute(update(WebhookDeliveryRow).values(next_attempt_at=clock.now()))
    run_until(sender, lambda: states(farm, failing) == ["delivered"] * 18)
    assert breakers.found() == {}


def let_breakers_half_open(redis: Redis) -> None:
    """As if their time were over."""
    past = (clock.now() - timedelta(seconds=1)).timestamp()
    for host in redis.zrange("webhook-breakers", 0, -1):
        redis.zadd("webhook-breakers", {host: past})


@pytest.fixture
def breakers(redis_url: str) -> Iterator[EndpointBreakers]:
    with Redis.from_url(redis_url) as redis:
        yield EndpointBreakers(redis)


def test_a_breaker_opens_doubles_and_closes(breakers: EndpointBreakers, redis_url: str) -> None:
    def fail() -> None:
        breakers.note("a.example", is_well=False)

    for _ in range(RULE.failures - 1):
        fail()
    assert breakers.found() == {}
    fail()
    fail()  # under way when it opened: counts for nothing
    opened = breakers.found()["a.example"]
    assert opened.failures == RULE.failures
    with Redis.from_url(redis_url) as redis:
        let_breakers_half_open(redis)
    assert breakers.found()["a.example"].state(clock.now()) is BreakerState.HALF_OPEN
    fail()
    again = breakers.found()["a.example"]
    assert again.state(clock.now()) is BreakerState.OPEN
    assert again.until > opened.until
    breakers.note("a.example", is_well=True)
    assert breakers.found() == {}


def test_without_redis_nobody_is_left_alone(valkey: EmbeddedValkey) -> None:
    with Redis.from_url("redis://127.0.0.1:1/0") as nowhere:
        breakers = EndpointBreakers(nowhere)
        breakers.note("a.example", is_well=False)
        assert breakers.found() == {}


def test_a_half_open_receiver_gets_one(farm: Farm, receivers: list[Receiver]) -> None:
    half_open, well = receivers
    owe(farm, half_open, 2)
    owe(farm, well, 2)
    rooms = {host_of(half_open.url): 1, host_of(well.url): 4}
    taken = take_deliveries(farm.db, room=rooms.__getitem__, limit=16, lease_s=60)
    urls = [delivery.url for delivery in taken]
    assert (urls.count(half_open.url), urls.count(well.url)) == (1, 4)
    none = take_deliveries(farm.db, room=lambda _: 0, limit=16, lease_s=60)
    assert none == []
