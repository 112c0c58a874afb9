"""docs/ tells the truth about routes, models, decisions and its own links."""

import json
import re
from pathlib import Path

import pytest
from standardwebhooks import Webhook
from werkzeug.routing import Rule

from myriad import clock
from myriad.cli.commands import PLACES
from myriad.db.migrate import upgrade
from myriad.job import EventKind
from myriad.settings import Settings
from myriad.webhook import sign
from tests.processes import ROOT
from web import create_app
from web.doors import DOORS
from web.doors.door import Door
from web.farm import close_farm
from web.job_request import JobRequest

WRITTEN = {"deploy/.env"}  # by deploy/make-worker-env.sh
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
API = (ROOT / "docs" / "api.md").read_text("utf-8")
DOORS_PAGE = (ROOT / "docs" / "doors.md").read_text("utf-8")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> list[Rule]:
    """Every route of the front end."""
    tmp_path = tmp_path_factory.mktemp("pages")
    catalog = tmp_path / "catalog.toml"
    catalog.write_text('[[model]]\nname = "m"\nfamily = "sd"\nsource = "a/b"\nrevision = "r"\n')
    settings = Settings(home=tmp_path, catalog=catalog)
    upgrade(settings.database)
    app = create_app(settings)
    close_farm(app)
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"]


def test_every_route_of_ours_is_in_the_api_page(rules: list[Rule]) -> None:
    theirs = {door.name for door in DOORS}
    routes = {
        f"{method} {_readable(rule.rule)}"
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint.partition(".")[0] not in theirs
    }
    named = set(re.findall(r"`((?:GET|POST|DELETE) /[^`?]*)`", API))
    assert routes == named


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_every_door_is_in_the_page_of_doors(door: Door, rules: list[Rule]) -> None:
    own = [rule for rule in rules if rule.endpoint.startswith(f"{door.name}.")]
    first = {_readable(rule.rule).split("{")[0].rstrip("/") for rule in own}
    assert first
    assert any(path in DOORS_PAGE for path in first)


def test_every_field_of_a_request_is_in_the_api_page() -> None:
    named = set(re.findall(r"`(\w+)`", API))
    assert set(JobRequest.model_fields) <= named


def test_every_event_is_in_the_api_page() -> None:
    assert {f"job.{kind.value}" for kind in EventKind} == set(re.findall(r"`(job\.\w+)`", API))


def test_the_snippet_that_verifies_a_webhook_runs() -> None:
    secret = "whsec_" + "A" * 32
    code = re.search(r"```python\n(.*?)```", API, re.DOTALL)
    assert code
    body = json.dumps({"type": "job.start", "data": {"id": "1", "status": "running"}}).encode()
    names: dict[str, object] = {}
    exec(code[1].replace("whsec_…", secret), names)
    receive = names["receive"]
    assert callable(receive)
    headers = sign(secret, "msg_1", body, clock.now())
    receive(headers, body)
    with pytest.raises(Exception, match="matching signature"):
        receive(headers, body + b" ")
    assert Webhook(secret).verify(body, headers)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    for link in links:
        assert (page.parent / link).exists(), link
    for path in re.findall(
        r"`((?:myriad|tasks|web|workers|deploy|docs|migrations)/[\w./-]+)`", text
    ):
        assert (ROOT / path).exists() or path in WRITTEN, path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_and_commands_are_real(page: Path) -> None:
    text = page.read_text("utf-8")
    settings = {f"MYRIAD_{name.upper()}" for name in Settings.model_fields}
    others = {"MYRIAD_URL", "MYRIAD_KEY"} | _of_compose()
    assert set(re.findall(r"\bMYRIAD_[A-Z0-9_]+\b", text)) <= settings | others
    commands = re.findall(r"`myriad ([a-z]+)", text) + re.findall(r"^\$? ?myriad (\w+)", text, re.M)
    assert set(commands) <= set(PLACES)


def _readable(rule: str) -> str:
    """`/jobs/<job:job_id>` as the page writes it: `/jobs/{id}`."""
    return re.sub(r"<(?:\w+:)?(?:job_|batch_)?(\w+)>", r"{\1}", rule)


def _of_compose() -> set[str]:
    return set(re.findall(r"MYRIAD_\w+", (ROOT / "deploy" / "env.example").read_text()))
