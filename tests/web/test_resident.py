"""Which pools hold a model ready, as their workers last said."""

from flask.testing import FlaskClient

from myriad.claimant import Claimant
from myriad.db.workers import report_worker
from myriad.farm import Farm
from myriad.job import Stage
from myriad.resident import Resident, Tier


def report(farm: Farm, name: str, pool: str, *residents: Resident) -> None:
    report_worker(farm.db, Claimant(name, pool, "cpu", tuple(Stage), ("*",)), 4, residents)


def test_models_say_where_they_are_held_nearest_first(client: FlaskClient, farm: Farm) -> None:
    report(farm, "a", "gpu", Resident("tiny", Tier.DEVICE, 7), Resident("film", Tier.DISK))
    report(farm, "b", "gpu", Resident("tiny", Tier.DEVICE, 9), Resident("film", Tier.HOST, 5))
    report(farm, "c", "big", Resident("tiny", Tier.HOST, 7))
    models = {
        each["name"]: each["resident"] for each in client.get("/api/v1/models").json["models"]
    }
    assert models["tiny"] == [
        {"pool": "gpu", "tier": "device", "workers": 2, "size_bytes": 9},
        {"pool": "big", "tier": "host", "workers": 1, "size_bytes": 7},
    ]
    assert [each["tier"] for each in models["film"]] == ["host", "disk"]
    assert models["english"] == []
