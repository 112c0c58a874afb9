"""What the checker may look at: the history, the database as it was left, the receiver's log."""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from myriad.db.tables import (
    EventRow,
    ImageRow,
    JobRow,
    StageRunRow,
    UsageRow,
    WebhookDeliveryRow,
)
from tests.chaos.history import Line, read_lines
from tests.chaos.run import FINAL_DB

Row = TypeVar("Row")


@dataclass(frozen=True)
class Evidence:
    """Everything that is left of a run."""

    history: list[Line]
    receipts: list[Line]
    jobs: dict[str, JobRow]
    events: dict[str, list[EventRow]]
    images: dict[str, list[ImageRow]]
    stage_runs: dict[str, list[StageRunRow]]
    deliveries: dict[str, list[WebhookDeliveryRow]]
    usage: list[UsageRow]
    secret: str
    slots: int = 4
    max_tries: int = 3

    def lines(self, what: str) -> list[Line]:
        """Every line of the history of that kind."""
        return [line for line in self.history if line["what"] == what]


def load_evidence(folder: Path) -> Evidence:
    """Read what a run has left in `folder`."""
    facts = json.loads((folder / "facts.json").read_text())
    database = create_engine(f"sqlite:///{folder / FINAL_DB}")
    with Session(database, expire_on_commit=False) as session:
        evidence = Evidence(
            history=read_lines(folder / "history.jsonl"),
            receipts=read_lines(folder / "receiver.jsonl"),
            jobs={job.id: job for job in session.scalars(select(JobRow))},
            events=_of_jobs(session, EventRow),
            images=_of_jobs(session, ImageRow),
            stage_runs=_of_jobs(session, StageRunRow),
            deliveries=_of_jobs(session, WebhookDeliveryRow),
            usage=list(session.scalars(select(UsageRow))),
            secret=facts["secret"],
            slots=facts["slots"],
            max_tries=facts["max_tries"],
        )
        session.expunge_all()
    database.dispose()
    return evidence


def grouped(items: list[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Lists by key, each in the order of `items`."""
    lists: dict[str, list[Row]] = defaultdict(list)
    for item in items:
        lists[key(item)].append(item)
    return dict(lists)


def _of_jobs(session: Session, table: type[Row]) -> dict[str, list[Row]]:
    rows = list(session.scalars(select(table)))
    return grouped(rows, lambda row: str(row.job_id))  # type: ignore[attr-defined]
