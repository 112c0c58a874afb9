"""Places to wait at: none is left empty, and one caller cannot take them all from the others."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier

from werkzeug.test import TestResponse

from myriad.db.keys import create_key
from tests.web.conftest import OpenApp, farm_of
from tests.web.login import bearer
from web.places import Places
from web.wait import seats_among

DRAW = "/v1/images/generations"


def shared() -> bool:
    return True


def not_shared() -> bool:
    return False


def taken(places: Places, scope: str, are_shared: Callable[[], bool]) -> int:
    """How many this caller gets, however often it asks."""
    return sum(places.take(scope, are_shared) for _ in range(20))


def test_there_is_always_one_for_who_has_none() -> None:
    places = Places(8)
    assert [taken(places, scope, shared) for scope in "abcde"] == [4, 2, 1, 1, 0]
    places.leave("a")
    assert taken(places, "b", shared) == 0
    assert taken(places, "e", shared) == 1


def test_who_is_alone_has_them_all() -> None:
    places = Places(8)
    assert taken(places, "a", not_shared) == 8
    places.leave("a")
    assert taken(places, "a", not_shared) == 1


def test_the_only_place_is_for_whoever_comes_first() -> None:
    places = Places(1)
    assert [taken(places, scope, shared) for scope in "ab"] == [1, 0]
    places.leave("a")
    assert taken(places, "b", shared) == 1


def test_asking_for_many_at_the_same_moment_gains_nothing() -> None:
    places, start = Places(16), Barrier(32)

    def take(_: int) -> bool:
        start.wait()
        return places.take("a", shared)

    with ThreadPoolExecutor(32) as threads:
        assert sum(threads.map(take, range(32))) == 8


def test_one_key_leaves_seats_to_the_others(open_app: OpenApp) -> None:
    app = open_app(web_threads=16)
    alice, bob = (create_key(farm_of(app).db, name)[1] for name in ("alice", "bob"))
    assert seats_among(16) == 8
    with ExitStack() as stack:

        def begin(key: str, number: int) -> TestResponse:
            """A stream that holds a seat until the end."""
            body = {"prompt": f"{number}", "stream": True}
            answer = app.test_client().post(DRAW, json=body, headers=bearer(key))
            stack.callback(answer.close)
            return answer

        answers = [begin(alice, number) for number in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 4 + [503]
        assert answers[-1].json["error"]["code"] == "busy"
        assert int(answers[-1].headers["Retry-After"]) > 0
        assert begin(bob, 5).status_code == 200
