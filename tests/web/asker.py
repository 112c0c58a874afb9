"""Asks any rule of the front end as any kind of caller."""

import re

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from myriad.db.batches import find_batch
from myriad.db.jobs import find_job
from myriad.farm import Farm
from myriad.job import JobState, Stage
from tests.web.access import JOB, Access, Kind
from tests.web.drawing import take
from web.app import FrontEnd

NOWHERE = "0" * 32
"""The id of no job."""

_NEW_JOB = Access(Kind.PLAIN, {"json": {**JOB, "cache": False}})
_NEW_BATCH = Access(Kind.PLAIN, {"json": {"jobs": [JOB], "metadata": JOB["metadata"]}})


class Asker:
    """Sends one request as any of the callers, the way that rule's callers do."""

    def __init__(
        self, app: FrontEnd, farm: Farm, keys: dict[str, str], browsers: dict[str, FlaskClient]
    ) -> None:
        self.farm = farm
        self._app, self._keys, self._browsers = app, keys, browsers
        self.heard: list[tuple[str, str]] = []
        """Caller and text of every answer."""

    def ask(self, caller: str, line: str, access: Access, job_id: str = NOWHERE) -> TestResponse:
        method, _, rule = line.partition(" ")
        address = re.sub(r"<[^>]+>", job_id, rule)
        client, headers = self._app.test_client(), {}
        found = next(each for each in self._app.url_map.iter_rules() if each.rule == rule)
        if found.endpoint.startswith("pages."):
            client, headers = self._browsers[caller], {"Accept": "text/html"}
        elif caller in self._keys:
            headers = {"Authorization": f"Bearer {self._keys[caller]}"}
        if found.websocket:
            headers |= {"Connection": "Upgrade", "Upgrade": "websocket"}
        response = client.open(address, method=method, headers=headers, **access.sent)
        assert response.status_code < 500 or address == "/readyz", (caller, line, response.text)
        self.heard.append((caller, response.get_data().decode(errors="replace")))
        return response

    def new_job(self) -> str:
        """A job of the owner that runs and has a preview."""
        made = self.ask("owner", "POST /api/v1/jobs", _NEW_JOB)
        job_id = made.json["id"]
        assert take(self.farm, job_id, Stage.ENCODE)
        self.farm.signals.set_preview(job_id, b"jpeg")
        return str(job_id)

    def new_batch(self) -> str:
        """A batch of the owner's."""
        return str(self.ask("owner", "POST /api/v1/batches", _NEW_BATCH).json["id"])

    def new(self, access: Access) -> str:
        """The id of something that the rule could be asked for."""
        return self.new_batch() if access.is_of_batch else self.new_job()

    def is_untouched(self, access: Access, found_id: str) -> bool:
        if access.is_of_batch:
            return find_batch(self.farm.db, found_id, scope=None).canceled_at is None
        return self.is_job_untouched(found_id)

    def is_job_untouched(self, job_id: str) -> bool:
        return find_job(self.farm.db, job_id, scope=None).state is JobState.RUNNING
