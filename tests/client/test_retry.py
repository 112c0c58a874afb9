"""What gets lost on the way is asked for again, and made once."""

import pytest

from myriad.client import Client
from myriad.errors import InvalidRequest, MyriadError, Unavailable
from tests.client.lossy import DROP, Lossy

BUSY = (503, {"Retry-After": "0"})
FULL = (429, {"Retry-After": "0"})


def keys_of(lossy: Lossy) -> list[str | None]:
    return [headers.get("idempotency-key") for _, headers in lossy.seen]


def test_a_job_whose_answer_is_lost_is_made_once(lossy: Lossy) -> None:
    lossy.trouble = [DROP, DROP]
    with Client(lossy.url) as client:
        job = client.submit("asked for thrice", cache=False)
        assert next(client.jobs())["id"] == job["id"]
        found = [each for each in client.jobs() if each["input"]["prompt"] == "asked for thrice"]
    assert len(found) == 1
    first, *others = keys_of(lossy)[:3]
    assert first
    assert others == [first, first]


def test_a_batch_whose_answer_is_lost_is_made_once(lossy: Lossy) -> None:
    lossy.trouble = [DROP]
    with Client(lossy.url) as client:
        batch = client.batch([{"prompt": "a lost batch"}])
        found = [each for each in client.jobs() if each["input"]["prompt"] == "a lost batch"]
    assert [job["batch"] for job in found] == [batch["id"]]


def test_two_submits_are_two(lossy: Lossy) -> None:
    with Client(lossy.url) as client:
        assert client.submit("a", seed=1)["id"] != client.submit("a", seed=1)["id"]
        one, other = (client.submit("a", idempotency_key="mine")["id"] for _ in range(2))
    assert one == other


def test_a_busy_farm_is_asked_again(lossy: Lossy) -> None:
    lossy.trouble = [BUSY, FULL, BUSY]
    with Client(lossy.url) as client:
        assert client.models()
    assert len(lossy.seen) == 4


def test_not_for_ever_and_not_for_hours(lossy: Lossy) -> None:
    lossy.trouble = [BUSY] * 3
    with Client(lossy.url, retries=2) as client, pytest.raises(MyriadError, match="503"):
        client.models()
    assert len(lossy.seen) == 3
    lossy.trouble = [(429, {"Retry-After": "3600"})]
    with Client(lossy.url) as client, pytest.raises(MyriadError, match="429"):
        client.models()
    assert len(lossy.seen) == 4


def test_a_proxy_without_its_farm_is_asked_again(lossy: Lossy) -> None:
    lossy.trouble = [(502, {}), (504, {})]
    with Client(lossy.url) as client:
        assert client.models()
    assert len(lossy.seen) == 3
    lossy.trouble = [(502, {}), (504, {})]
    with Client(lossy.url, retries=0) as client:
        for status in ("502", "504"):
            with pytest.raises(Unavailable, match=status):
                client.models()


def test_who_waits_bears_an_outage(lossy: Lossy, farm_url: str) -> None:
    with Client(lossy.url, retries=0) as client:
        job_id = client.submit("through an outage")["id"]
        lossy.trouble = [BUSY, DROP]
        job = client.wait(job_id)
        assert job["status"] == "succeeded"
        (image,) = job["output"]
        image["url"] = image["url"].replace(farm_url, lossy.url)
        lossy.trouble = [DROP]
        assert client.result(job).files[0]
        assert lossy.trouble == []
        lossy.trouble = [DROP]
        with pytest.raises(Unavailable):
            client.wait(job_id, timeout_s=0)


def test_but_not_for_ever(lossy: Lossy) -> None:
    with Client(lossy.url, retries=0, patience_s=0) as client:
        job_id = client.submit("through an outage")["id"]
        lossy.trouble = [BUSY]
        with pytest.raises(Unavailable):
            client.wait(job_id)


def test_what_is_wrong_is_not_asked_again(lossy: Lossy) -> None:
    with Client(lossy.url) as client, pytest.raises(InvalidRequest):
        client.submit("x", width=7)
    assert len(lossy.seen) == 1


def test_the_first_try_may_still_be_under_way(lossy: Lossy) -> None:
    """409 under an idempotency key; without one it stands."""
    lossy.trouble = [(409, {})]
    with Client(lossy.url) as client:
        job = client.submit("x")
        lossy.trouble = [(409, {})]
        with pytest.raises(MyriadError, match="409"):
            client.cancel(job["id"])


def test_a_link_is_followed_without_the_key(lossy: Lossy) -> None:
    with Client(lossy.url, "mk_secret") as client:
        with pytest.raises(MyriadError):
            client.download(f"{lossy.url}/files/nonsense")
        with pytest.raises(MyriadError):
            client.get("0" * 32)
    (_, link), (_, api) = lossy.seen
    assert "authorization" not in link
    assert api["authorization"] == "Bearer mk_secret"
