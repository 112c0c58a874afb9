"""API keys: what is kept of them, when they are good, and what they may."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from myriad import clock
from myriad.db.database import Database
from myriad.db.keys import (
    any_key,
    create_key,
    digest_of,
    find_key,
    get_key,
    list_keys,
    note_use,
    revoke_key,
    rotate_key,
)
from myriad.db.tables import ApiKeyRow
from myriad.errors import Conflict, InvalidRequest, NotFound
from myriad.key import ApiKey, Scope

DAY = timedelta(days=1)


def found(db: Database, key: str) -> ApiKey | None:
    return find_key(db, digest_of(key))


def change(db: Database, key_id: str, **values: Any) -> None:
    with db.write() as session:
        session.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(**values))


def test_a_key_has_256_random_bits_and_only_its_hash_is_kept(db: Database) -> None:
    made = [create_key(db, f"key {number}") for number in range(20)]
    assert len({key for _, key in made}) == len({key_id for key_id, _ in made}) == 20
    assert all(re.fullmatch(r"mk_[A-Za-z0-9_-]{43}", key) for _, key in made)
    with db.read() as session:
        kept = str(session.execute(text("SELECT * FROM api_keys")).all())
    assert not [key for _, key in made if key.removeprefix("mk_") in kept]


def test_only_the_very_key_is_found(db: Database) -> None:
    key_id, key = create_key(db, "me")
    assert found(db, key).id == key_id
    odd = ["", key[:-1], key + " ", key.upper(), "\x00", "ключ", "\ud800", "%", "x" * 1_000_000]
    assert [found(db, each) for each in odd] == [None] * len(odd)


def test_the_farm_is_open_until_its_first_key_and_never_again(db: Database) -> None:
    assert not any_key(db)
    key_id, key = create_key(db, "me", expires_at=clock.now() + DAY)
    assert any_key(db)
    revoke_key(db, key_id)
    change(db, key_id, expires_at=clock.now() - DAY)
    assert found(db, key) is None
    assert any_key(db)


def test_expired_and_revoked_keys_are_not_found(db: Database) -> None:
    (one, expired), (two, revoked) = create_key(db, "one"), create_key(db, "two")
    change(db, one, expires_at=clock.now())
    revoke_key(db, two)
    since = get_key(db, two).revoked_at
    revoke_key(db, two)
    assert (found(db, expired), found(db, revoked)) == (None, None)
    now = clock.now()
    assert [key.state(now) for key in list_keys(db)] == ["expired", "revoked"]
    assert get_key(db, two).revoked_at == since


def test_a_rotated_key_has_two_secrets_for_a_while(db: Database) -> None:
    key_id, first = create_key(db, "me")
    second = rotate_key(db, key_id, grace=DAY)
    assert found(db, first).id == found(db, second).id == key_id
    third = rotate_key(db, key_id, grace=DAY)
    assert [found(db, key) is not None for key in (first, second, third)] == [False, True, True]
    change(db, key_id, old_expires_at=clock.now())
    assert [found(db, key) is not None for key in (first, second, third)] == [False, False, True]
    revoke_key(db, key_id)
    assert found(db, third) is None


def test_a_rotation_without_grace_ends_the_secret_at_once(db: Database) -> None:
    key_id, first = create_key(db, "me")
    second = rotate_key(db, key_id, grace=timedelta())
    assert (found(db, first), found(db, second).id) == (None, key_id)


def test_what_is_no_longer_good_is_not_rotated(db: Database) -> None:
    (one, _), (two, _) = create_key(db, "one"), create_key(db, "two")
    revoke_key(db, one)
    change(db, two, expires_at=clock.now() - DAY)
    for key_id, state in ((one, "revoked"), (two, "expired")):
        with pytest.raises(Conflict, match=state):
            rotate_key(db, key_id, grace=DAY)
    for act in (revoke_key, get_key, lambda *key: rotate_key(*key, grace=DAY)):
        with pytest.raises(NotFound):
            act(db, "0" * 32)


def test_scopes_and_limits_are_kept(db: Database) -> None:
    plain, _ = create_key(db, "plain")
    assert get_key(db, plain).scopes == {Scope.READ, Scope.WRITE}
    limits = {"max_queued": 100.0, "megapixel_steps_per_day": 0.5}
    _, key = create_key(db, "other", scopes=["metrics"], limits=limits)
    other = found(db, key)
    assert (other.scopes, dict(other.limits)) == ({Scope.METRICS}, limits)
    assert [scope for scope in Scope if other.allows(scope)] == [Scope.METRICS]
    _, key = create_key(db, "operator", scopes=["admin"])
    assert all(found(db, key).allows(scope) for scope in Scope)


def test_a_scope_of_another_release_opens_nothing(db: Database) -> None:
    key_id, key = create_key(db, "me")
    change(db, key_id, scopes=["read", "teleport"])
    assert found(db, key).scopes == {Scope.READ}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "\x1b[2J"}, "name"),
        ({"limits": {"max_running": -1}}, "max_running"),
        ({"limits": {"max_running": float("nan")}}, "max_running"),
        ({"limits": {"max_running": float("inf")}}, "max_running"),
        ({"limits": {"rate_per_minute": 0.4}}, "rate_per_minute"),
        ({"limits": {"max_queued": 0.5}}, "max_queued"),
        ({"limits": {"max_running": 1.5}}, "max_running"),
        ({"limits": {"max_everything": 1}}, "max_everything"),
    ],
)
def test_what_cannot_be_is_refused(db: Database, values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        create_key(db, **{"name": "me", **values})
    assert refused.value.field == field
    assert not any_key(db)


def test_use_is_noted_once_a_minute(db: Database) -> None:
    key_id, _ = create_key(db, "me")
    assert get_key(db, key_id).is_use_due(clock.now())
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: note_use(db, key_id), range(8)))
    first = get_key(db, key_id).last_used_at
    assert first is not None
    assert not get_key(db, key_id).is_use_due(clock.now())
    note_use(db, key_id)
    assert get_key(db, key_id).last_used_at == first
    change(db, key_id, last_used_at=first - timedelta(minutes=1))
    note_use(db, key_id)
    assert get_key(db, key_id).last_used_at > first
    note_use(db, "0" * 32)  # deleted meanwhile: nobody minds
    with db.read() as session:
        assert session.scalar(select(ApiKeyRow.name)) == "me"
