"""What is promised of tries: the guilty use up their own, and work is seldom done twice."""

from collections import Counter
from collections.abc import Iterator

from myriad.errors import StageFailed, WorkerLost
from tests.chaos.evidence import Evidence, grouped
from tests.chaos.promises import FINAL

_COUNTED = (WorkerLost.code, StageFailed.code)


def only_culprits_fail(evidence: Evidence) -> Iterator[str]:
    """Poison and bugs fail by their own code; else a job fails only if its tries were killed."""
    kinds = {line["job"]: line["kind"] for line in evidence.lines("accepted")}
    for job in evidence.jobs.values():
        kind = kinds.get(job.id, "plain")
        if kind in ("poison", "raises") and job.state not in ("failed", "canceled"):
            yield f"{job.id} is {kind} and {job.state}"
        if job.state != "failed":
            continue
        if job.error_code not in (_COUNTED if kind == "raises" else (WorkerLost.code,)):
            yield f"{job.id} ({kind}) failed with {job.error_code}: {job.error_message}"
        elif not was_killed_out(evidence, job.id):
            yield f"{job.id} ({kind}) failed with {job.error_code} and had tries left"


def tries_are_few(evidence: Evidence) -> Iterator[str]:
    """No stage is tried more often than the rule says, and none is left open."""
    for job_id, job in evidence.jobs.items():
        runs = evidence.stage_runs.get(job_id, [])
        worst = max(_failed_tries(evidence, job_id).values(), default=0)
        if worst > evidence.max_tries * (1 + job.rewinds):
            yield f"{job_id} failed {worst} times in one stage"
        if job.state in FINAL and any(run.finished_at is None for run in runs):
            yield f"{job_id} has ended and a stage run has not"
        done = Counter(run.stage for run in runs if run.outcome == "succeeded")
        if max(done.values(), default=0) > 1 + job.rewinds:
            yield f"{job_id} did a stage {max(done.values())} times with {job.rewinds} rewinds"


def one_run_answers_all_who_ask_for_the_same(evidence: Evidence) -> Iterator[str]:
    """Of jobs that share their pictures one has run, and one more for each that ended early."""
    same = grouped(list(evidence.jobs.values()), lambda job: job.exact_key)
    for jobs in same.values():
        ran = [job for job in jobs if evidence.stage_runs.get(job.id)]
        early = sum(job.state != "succeeded" for job in jobs)
        if len(ran) > 1 + early:
            yield f"{len(jobs)} jobs asked for the same and {len(ran)} of them ran"


def work_is_lost_only_with_a_worker(evidence: Evidence) -> Iterator[str]:
    """At most the slots of a worker for each that died or was frozen.

    An outage of the database and a step of the clock may do that to all of them.
    """
    faults = [line["name"] for line in evidence.lines("fault")]
    to_all = sum(name.startswith(("database", "clock")) for name in faults)
    workers = {line["name"] for line in evidence.lines("death") if _is_worker(line["name"])}
    hurt = worker_deaths(evidence) + faults.count("freeze worker") + to_all * len(workers)
    lost = len(lost_runs(evidence))
    if lost > hurt * evidence.slots:
        yield f"{lost} stage runs were lost with {hurt} workers of {evidence.slots} slots"


def worker_deaths(evidence: Evidence) -> int:
    """How many worker processes have died."""
    return sum(_is_worker(line["name"]) for line in evidence.lines("death"))


def lost_runs(evidence: Evidence) -> list[str]:
    """The job of each stage run whose worker was lost."""
    return [
        run.job_id
        for runs in evidence.stage_runs.values()
        for run in runs
        if run.outcome == WorkerLost.code
    ]


def was_killed_out(evidence: Evidence, job_id: str) -> bool:
    """Whether one stage of the job, or of the run it had joined, has used up its tries."""
    leader = evidence.jobs[job_id].leader_id
    tries = [_failed_tries(evidence, it) for it in (job_id, leader) if it is not None]
    return any(count >= evidence.max_tries for of_job in tries for count in of_job.values())


def _failed_tries(evidence: Evidence, job_id: str) -> Counter[str]:
    runs = evidence.stage_runs.get(job_id, [])
    return Counter(run.stage for run in runs if run.outcome in _COUNTED)


def _is_worker(name: str) -> bool:
    return name.startswith("worker")
