"""Under what id Replicate's clients are shown a job, so that it leads somewhere."""

from datetime import timedelta

from flask.testing import FlaskClient
from sqlalchemy import update

from myriad import clock
from myriad.db.keys import create_key
from myriad.db.tables import IdempotencyKeyRow
from myriad.farm import Farm
from myriad.key import Scope

ALL = "/v1/predictions"
ASKED = {"input": {"prompt": "a red circle"}}


def listed(client: FlaskClient, headers: dict[str, str] | None = None) -> dict[str, object]:
    """The only one, after a look whether its id leads to it."""
    [shown] = client.get(ALL, headers=headers).json["results"]
    for address in (f"{ALL}/{shown['id']}", shown["urls"]["get"]):
        assert client.get(address, headers=headers).json["id"] == shown["id"]
    return dict(shown)


def test_a_name_is_shown_for_as_long_as_it_leads_there(client: FlaskClient, farm: Farm) -> None:
    assert client.put(f"{ALL}/mine", json=ASKED).json["id"] == "mine"
    assert listed(client)["id"] == "mine"
    with farm.db.write() as session:
        past = clock.now() - timedelta(seconds=1)
        session.execute(update(IdempotencyKeyRow).values(expires_at=past))
    assert client.get(f"{ALL}/mine").status_code == 404
    own = listed(client)["id"]
    again = client.put(f"{ALL}/mine", json=ASKED).json
    assert again["id"] == "mine"
    assert [each["id"] for each in client.get(ALL).json["results"]] == ["mine", own]


def test_a_name_is_its_own_callers(client: FlaskClient, farm: Farm) -> None:
    def headers(name: str, *scopes: Scope) -> dict[str, str]:
        return {"Authorization": f"Bearer {create_key(farm.db, name, scopes=scopes)[1]}"}

    mine, admins = headers("me", Scope.READ, Scope.WRITE), headers("admin", Scope.ADMIN)
    client.put(f"{ALL}/mine", json=ASKED, headers=mine)
    assert listed(client, mine)["id"] == "mine"
    assert listed(client, admins)["id"] != "mine"


def test_a_label_of_another_door_names_nothing(client: FlaskClient) -> None:
    asked = {"prompt": "a", "metadata": {"prediction_id": "order 66"}}
    job = client.post("/api/v1/jobs", json=asked).json
    assert listed(client)["id"] == job["id"]
