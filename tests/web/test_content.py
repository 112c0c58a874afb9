"""What the operator will not have drawn is refused at the door, without a trace."""

from pathlib import Path

from myriad.db.tables import JobRow
from tests.db.steps import count
from tests.web.conftest import OpenApp, farm_of
from tests.web.test_pages import FORM, csrf, text


def test_a_blocked_prompt_is_refused_everywhere(open_app: OpenApp, tmp_path: Path) -> None:
    terms = tmp_path / "terms.txt"
    terms.write_text("forbidden fruit\n", "utf-8")
    app = open_app(blocked_terms=terms)
    client = app.test_client()
    answer = client.post("/api/v1/jobs", json={"prompt": "a Forbidden  Fruit, ripe"})
    assert answer.status_code == 400
    assert answer.json["error"]["code"] == "content_refused"
    assert answer.json["error"]["field"] == "prompt"
    assert "fruit" not in answer.text
    form = {**FORM, "prompt": "forbidden fruit", "csrf_token": csrf(client)}
    page = client.post("/", data=form)
    assert page.status_code == 400
    assert "does not draw that" in text(page.text)
    assert count(farm_of(app).db, JobRow) == 0
    allowed = {"prompt": "a fruit", "negative_prompt": "forbidden fruit"}
    assert client.post("/api/v1/jobs", json=allowed).status_code == 201
