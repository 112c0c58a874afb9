"""Every rule of the front end, asked by every kind of caller: who hears what, and no leak.

The rules come from the app itself. One that `tests.web.access.TABLE` does not know fails
by name; those of a door need no line, for to them all the same goes: no answer without a
key, no change without the scope, and another's id is answered like one that there is not.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from myriad import clock
from myriad.db.keys import create_key, list_keys, revoke_key
from myriad.db.tables import ApiKeyRow
from myriad.embedded import EmbeddedValkey
from myriad.farm import Farm
from myriad.key import Scope
from myriad.settings import Settings
from tests.web.access import (
    CALLERS,
    DOOR_ADMINS,
    DOOR_READS,
    GONE,
    LABEL,
    PROMPT,
    TABLE,
    Access,
    Kind,
)
from tests.web.asker import NOWHERE, Asker
from tests.web.conftest import farm_of, make_home
from web.app import FrontEnd, create_app
from web.auth import needed_scope
from web.doors.door import Door
from web.farm import close_farm

SPELLINGS = (str, "video_{}".format, lambda job_id: str(UUID(job_id)))
"""As doors may write a job's id."""

_ONE_TIME = re.compile(r'(?<=nonce=")[^"]+|(?<=name="csrf_token" value=")[^"]+')
_SCOPES = {"reader": ["read"], "metrics": ["metrics"], "admin": ["admin"]}


@pytest.fixture(scope="module")
def app(
    tmp_path_factory: pytest.TempPathFactory, _migrated: Path, valkey: EmbeddedValkey
) -> Iterator[FrontEnd]:
    home = make_home(tmp_path_factory.mktemp("tenants"), _migrated)
    app = create_app(
        Settings(home=home, catalog=home / "catalog.toml", redis_url=valkey.url, hold_max_s=1)
    )
    app.config["WTF_CSRF_ENABLED"] = False  # tests/web/test_login.py has it on
    yield app
    close_farm(app)


@pytest.fixture(scope="module")
def farm(app: FrontEnd) -> Farm:
    return farm_of(app)


@pytest.fixture(scope="module")
def keys(farm: Farm) -> dict[str, str]:
    """The API key of each caller that has one."""
    made = {
        name: create_key(farm.db, name, scopes=_SCOPES.get(name, ["read", "write"]))
        for name in CALLERS
        if name != "nobody"
    }
    return {name: key for name, (_, key) in made.items()}


@pytest.fixture(scope="module")
def browsers(app: FrontEnd, farm: Farm, keys: dict[str, str]) -> dict[str, FlaskClient]:
    """A browser of each caller, logged in while its key was still good."""
    made = {name: app.test_client() for name in CALLERS}
    for name, key in keys.items():
        assert made[name].post("/login", data={"key": key}).status_code == 303
    with farm.db.write() as session:
        lapsed = update(ApiKeyRow).where(ApiKeyRow.name == "expired")
        session.execute(lapsed.values(expires_at=clock.now() - timedelta(seconds=1)))
    revoke_key(farm.db, next(key.id for key in list_keys(farm.db) if key.name == "revoked"))
    return made


@pytest.fixture(scope="module")
def asker(
    app: FrontEnd, farm: Farm, keys: dict[str, str], browsers: dict[str, FlaskClient]
) -> Asker:
    return Asker(app, farm, keys, browsers)


def lines_of(app: FrontEnd) -> Iterator[tuple[str, Rule]]:
    """`METHOD rule` of every rule and method that the app serves by itself."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or {"GET"}) - {"HEAD", "OPTIONS"}):
            yield f"{method} {rule.rule}", rule


def is_of_a_door(app: FrontEnd, rule: Rule) -> bool:
    return isinstance(app.blueprints.get(rule.endpoint.partition(".")[0]), Door)


def told(response: TestResponse, job_id: str) -> tuple[object, ...]:
    """All that an answer tells, but what is new each time and the id that was asked for."""
    text = _ONE_TIME.sub("", response.get_data().decode(errors="replace"))
    for spelling in SPELLINGS:
        text = text.replace(spelling(job_id), "ID")
    location = (response.location or "").replace(job_id, "ID")
    headers = set(response.headers.keys()) - {"Set-Cookie"}  # a browser's first form brings one
    return response.status_code, response.mimetype, headers, location, text


def test_every_rule_is_in_the_table(app: FrontEnd) -> None:
    served = {line for line, rule in lines_of(app) if not is_of_a_door(app, rule)}
    assert served - set(TABLE) == set(), "say in tests/web/access.py who may"
    assert set(TABLE) - served == set(), "no longer served"


@pytest.mark.parametrize("line", [line for line, each in TABLE.items() if each.kind is Kind.OWNED])
def test_a_job_or_batch_is_its_owner_s(asker: Asker, line: str) -> None:
    access = TABLE[line]
    job_id = asker.new(access)
    missing = asker.ask("other", line, access)
    assert missing.status_code == 404
    other = asker.ask("other", line, access, job_id)
    assert told(other, job_id) == told(missing, NOWHERE)
    reader = asker.ask("reader", line, access, job_id)
    assert reader.status_code == (404 if line.startswith("GET") else 403)
    assert asker.ask("metrics", line, access, job_id).status_code == 403
    for caller in GONE:
        gone, nowhere = (asker.ask(caller, line, access, each) for each in (job_id, NOWHERE))
        assert told(gone, job_id) == told(nowhere, NOWHERE)
        assert gone.status_code in (401, 303)
    assert asker.is_untouched(access, job_id)
    for caller in ("owner", "admin"):
        assert asker.ask(caller, line, access, asker.new(access)).status_code in (200, 204, 303)


@pytest.mark.parametrize("line", [line for line, each in TABLE.items() if each.kind is Kind.PLAIN])
def test_what_is_for_every_key_is_for_no_one_else(asker: Asker, line: str) -> None:
    access, is_get = TABLE[line], line.startswith("GET")
    statuses = {caller: asker.ask(caller, line, access).status_code for caller in CALLERS}
    allowed = {"owner", "other", "admin", *(["reader"] if is_get else [])}
    for caller in allowed:
        assert statuses[caller] not in (401, 403, 404), (caller, statuses)
    for caller in ("reader", "metrics"):
        assert caller in allowed or statuses[caller] == 403
    for caller in GONE:
        answer = asker.ask(caller, line, access)
        assert answer.status_code == 401 or answer.location.startswith("/login")


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [(Kind.METRICS, {"metrics", "admin"}), (Kind.ADMIN, {"admin"}), (Kind.PUBLIC, set(CALLERS))],
)
def test_what_needs_a_scope_of_its_own(asker: Asker, kind: Kind, allowed: set[str]) -> None:
    for line, access in TABLE.items():
        if access.kind is not kind:
            continue
        answers = {caller: asker.ask(caller, line, access) for caller in CALLERS}
        statuses = {caller: answer.status_code for caller, answer in answers.items()}
        if kind is Kind.PUBLIC:
            if "/logout" not in line:
                assert len(set(statuses.values())) == 1, line
            continue
        for caller in CALLERS:
            refused = 401 if caller in GONE else 403
            assert statuses[caller] == (200 if caller in allowed else refused), (caller, line)


def test_doors_let_nobody_in_without_a_key(app: FrontEnd, asker: Asker) -> None:
    for line, rule in lines_of(app):
        if is_of_a_door(app, rule):
            statuses = {caller: asker.ask(caller, line, _NOTHING).status_code for caller in GONE}
            assert statuses == dict.fromkeys(GONE, 401), line


def test_doors_change_nothing_without_the_scope(app: FrontEnd, asker: Asker) -> None:
    for line, rule in lines_of(app):
        if not is_of_a_door(app, rule):
            continue
        method = line.partition(" ")[0]
        with app.app_context():
            needed = needed_scope(rule.endpoint, method)
        expected = Scope.READ if method == "GET" or line in DOOR_READS else Scope.WRITE
        expected = Scope.ADMIN if line in DOOR_ADMINS else expected
        assert needed is expected, f"{line}: if it should be so, say so in DOOR_READS"
        if expected is not Scope.READ:
            assert asker.ask("reader", line, _NOTHING).status_code == 403, line
        assert asker.ask("metrics", line, _NOTHING).status_code == 403, line


def test_doors_answer_to_another_s_id_as_to_none(app: FrontEnd, asker: Asker) -> None:
    for line, rule in lines_of(app):
        if not (is_of_a_door(app, rule) and rule.arguments):
            continue
        job_id = asker.new_job()
        for spell in SPELLINGS:
            ask = partial(asker.ask, "other", line, _NOTHING)
            assert told(ask(spell(job_id)), job_id) == told(ask(spell(NOWHERE)), NOWHERE), line
        assert asker.is_job_untouched(job_id), line


def test_lists_show_one_s_own_and_an_admin_all(asker: Asker) -> None:
    line, body = "POST /api/v1/jobs", Access(Kind.PLAIN, {"json": {"prompt": "x"}})
    made = {caller: asker.ask(caller, line, body).json["id"] for caller in ("owner", "other")}
    seen = {name: {job_id} for name, job_id in made.items()}
    seen |= {"reader": set(), "admin": set(made.values())}
    for caller, expected in seen.items():
        jobs = asker.ask(caller, "GET /api/v1/jobs", TABLE["GET /api/v1/jobs"]).json["jobs"]
        assert {job["id"] for job in jobs} & set(made.values()) == expected, caller


def test_nobody_else_ever_read_what_was_the_owner_s(asker: Asker, keys: dict[str, str]) -> None:
    asker.new_job()
    assert any(PROMPT in text for caller, text in asker.heard if caller in ("owner", "admin"))
    for caller, text in asker.heard:
        if caller not in ("owner", "admin"):
            assert PROMPT not in text
            assert LABEL not in text
        assert not [key for key in keys.values() if key in text]


_NOTHING = Access(Kind.PLAIN, {"json": {}})
