"""What an honest run leaves behind, made by hand: for forgers to spoil."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from standardwebhooks import Webhook

from myriad.db.tables import (
    Base,
    EventRow,
    ImageRow,
    JobRow,
    StageRunRow,
    UsageRow,
    WebhookDeliveryRow,
)
from myriad.params import GenerationParams
from tests.chaos.engine import expected_sha256
from tests.chaos.history import History
from tests.chaos.run import FINAL_DB
from tests.chaos.world import SECRET

AT = datetime(2026, 1, 1, tzinfo=UTC)
GOOD, POISON = "a" * 32, "b" * 32


def leave_honest_run(folder: Path) -> None:
    """Two jobs: one was drawn, the other killed three workers."""
    facts = {"seed": 1, "secret": SECRET, "slots": 4, "max_tries": 3}
    (folder / "facts.json").write_text(json.dumps(facts))
    _write_history(folder)
    database = create_engine(f"sqlite:///{folder / FINAL_DB}")
    Base.metadata.create_all(database)
    with Session(database) as session, session.begin():
        session.add_all([make_job(GOOD, "a red circle", "succeeded"), _poisoned()])
        session.flush()
        session.add_all(_rows())
    database.dispose()


def _write_history(folder: Path) -> None:
    history, receiver = History(folder / "history.jsonl"), History(folder / "receiver.jsonl")
    for key, job, kind in (("1", GOOD, "plain"), ("2", POISON, "poison")):
        history.tell("asked", key=key, kind=kind)
        history.tell("accepted", key=key, kind=kind, job=job)
        history.tell("seen", job=job, status="queued", asked_at=0)
        history.tell("seen", job=job, status="running", asked_at=0)
    history.tell("seen", job=GOOD, status="succeeded", asked_at=0)
    history.tell("clock", offset_s=3600.0)
    history.tell("clock", offset_s=0.0)
    for _ in range(3):
        history.tell("death", name="worker-1", pid=1)
    sha256 = expected_sha256("a red circle", 4, 7)
    history.tell("picture", key=f"images/{sha256}", sha256=sha256)
    receiver.tell("receipt", **_receipt(500))
    receiver.tell("receipt", **_receipt(204))
    for log in (history, receiver):
        log.close()


def _receipt(answered: int) -> dict[str, Any]:
    told = {"id": GOOD, "status": "succeeded"}
    body = json.dumps({"type": "job.completed", "sequence": 3, "data": told})
    return {
        "id": "msg_1",
        "timestamp": str(int(AT.timestamp())),
        "signature": Webhook(SECRET).sign("msg_1", AT, body),
        "body": body,
        "answered": answered,
        "is_verified": False,
    }


def make_job(job_id: str, prompt: str, state: str, **more: Any) -> JobRow:
    params = GenerationParams(
        prompt=prompt,
        width=64,
        height=64,
        num_inference_steps=4,
        guidance_scale=0.0,
        scheduler="DDIMScheduler",
        seed=7,
    )
    return JobRow(
        id=job_id,
        state=state,
        stage="decode",
        model="tiny",
        params=params.to_json(),
        cache="miss",
        exact_key=job_id,
        any_seed_key="",
        dispatch_due=AT,
        created_at=AT,
        completed_at=AT,
        attempt=3,
        rewinds=0,
        webhook="http://127.0.0.1/" if state == "succeeded" else None,
        webhook_events_filter=["completed"],
        **more,
    )


def _poisoned() -> JobRow:
    return make_job(POISON, "poison", "failed", error_code="worker_lost")


def _rows() -> list[Base]:
    sha256 = expected_sha256("a red circle", 4, 7)
    kinds = {GOOD: ("start", "output", "completed"), POISON: ("start", "completed")}
    runs = [(GOOD, n, stage, "succeeded") for n, stage in enumerate(("encode", "denoise"))]
    runs += [(POISON, n, "encode", "worker_lost") for n in range(3)]
    return [
        *(
            EventRow(job_id=job_id, sequence=number, kind=kind, created_at=AT)
            for job_id, names in kinds.items()
            for number, kind in enumerate(names, start=1)
        ),
        *(stage_run(*run) for run in runs),
        make_image(0, sha256),
        WebhookDeliveryRow(
            id="msg_1",
            job_id=GOOD,
            kind="completed",
            sequence=3,
            url="http://127.0.0.1/",
            state="delivered",
            tries=2,
            next_attempt_at=AT,
            created_at=AT,
        ),
        UsageRow(scope="", day=AT.date(), jobs=2, cost=1.0),
    ]


def stage_run(job_id: str, attempt: int, stage: str, outcome: str) -> StageRunRow:
    return StageRunRow(
        job_id=job_id,
        attempt=attempt,
        stage=stage,
        model="tiny",
        pool="all",
        worker="one",
        device="cpu",
        started_at=AT,
        finished_at=AT,
        outcome=outcome,
    )


def make_image(index: int, sha256: str) -> ImageRow:
    return ImageRow(
        job_id=GOOD,
        index=index,
        storage_key=f"images/{sha256}",
        sha256=sha256,
        size_bytes=32,
        content_type="image/png",
        seed=7,
        width=64,
        height=64,
    )
