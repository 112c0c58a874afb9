"""Posting jobs and looking at what became of them, straight through SQL."""

from collections import Counter
from typing import Any

from sqlalchemy import func, select

from myriad import clock
from myriad.db.intake import submit
from myriad.db.jobs import find_job
from myriad.db.tables import EventRow, ImageRow, JobRow, StageRunRow
from myriad.farm import Farm
from myriad.job import FINAL_STATES
from myriad.record import JobRecord
from tests.processes import wait_until
from tests.submissions import make_submission
from tests.tasks.fast_worker import STEPS_LOG

_FINAL = [state.value for state in FINAL_STATES]


def post(farm: Farm, prompt: str, steps: int = 4, **values: Any) -> str:
    return submit(farm.db, make_submission(prompt, num_inference_steps=steps, **values)).job_id


def post_many(farm: Farm, number: int, steps: int = 4) -> list[str]:
    return [post(farm, f"prompt {index}", steps) for index in range(number)]


def pool(name: str, concurrency: int) -> str:
    """A pool of `pools.toml` that serves every stage."""
    return (
        f'[[pool]]\nname = "{name}"\nstages = ["encode", "denoise", "decode"]\n'
        f"concurrency = {concurrency}\n"
    )


def steps_done(farm: Farm, job_id: str) -> list[tuple[int, int]]:
    """Each denoising step any worker has done for the job: (attempt, step), in order."""
    log = farm.settings.home / STEPS_LOG
    lines = log.read_text().split("\n")[:-1] if log.exists() else []
    done = [line.split() for line in lines]
    return [(int(attempt), int(step)) for job, attempt, step in done if job == job_id]


def outcomes(farm: Farm, job_id: str) -> list[str]:
    """How each of the job's stage runs ended, in order."""
    query = (
        select(StageRunRow.outcome)
        .where(StageRunRow.job_id == job_id)
        .order_by(StageRunRow.attempt)
    )
    with farm.db.read() as session:
        return list(session.scalars(query))


def count_final(farm: Farm) -> int:
    query = select(func.count()).select_from(JobRow).where(JobRow.state.in_(_FINAL))
    with farm.db.read() as session:
        return session.scalar(query) or 0


def wait_for(farm: Farm, job_ids: list[str], within_s: float = 90.0) -> list[JobRecord]:
    """Every job's record once all have ended."""
    wait_until(
        lambda: all(find_job(farm.db, job_id, scope="").state.is_final for job_id in job_ids),
        within_s=within_s,
        what=lambda: f"the end of\n{_unfinished(farm)}",
    )
    return [find_job(farm.db, job_id, scope="") for job_id in job_ids]


def _unfinished(farm: Farm) -> str:
    query = select(JobRow).where(JobRow.state.not_in(_FINAL))
    with farm.db.read() as session:
        return "\n".join(
            f"{job.id[:6]} {job.state} {job.stage} attempt={job.attempt} tries={job.tries}"
            f" lease={job.lease_owner} until={job.lease_until} due={job.dispatch_due}"
            f" error={job.error_code} now={clock.now()}"
            for job in session.scalars(query)
        )


def assert_effects_once(farm: Farm, job_ids: list[str]) -> None:
    """All succeeded, each with exactly one set of images and one terminal event."""
    completed = select(EventRow.job_id).where(EventRow.kind == "completed")
    with farm.db.read() as session:
        states = {job.id: job.state for job in session.scalars(select(JobRow))}
        images = Counter(session.scalars(select(ImageRow.job_id)))
        ends = Counter(key for key in session.scalars(completed) if key in job_ids)
    assert {job_id: states[job_id] for job_id in job_ids} == dict.fromkeys(job_ids, "succeeded")
    assert images == dict.fromkeys(job_ids, 1)
    assert ends == dict.fromkeys(job_ids, 1)
