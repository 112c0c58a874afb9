"""`python -m tests.chaos.check FOLDER`: whether a farm under chaos kept its promises.

Reads only what the run has left: `history.jsonl`, `final.db`, `receiver.jsonl`.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from tests.chaos import promises, try_promises, webhook_promises
from tests.chaos.evidence import Evidence, load_evidence

Promise = Callable[[Evidence], Iterator[str]]
PROMISES: tuple[Promise, ...] = (
    promises.no_job_is_lost,
    promises.no_answer_is_a_500,
    promises.one_job_per_key,
    promises.each_job_ends_once,
    promises.one_right_result_set,
    promises.no_stored_picture_is_damaged,
    promises.states_never_go_back,
    promises.charged_once,
    try_promises.only_culprits_fail,
    try_promises.tries_are_few,
    try_promises.one_run_answers_all_who_ask_for_the_same,
    try_promises.work_is_lost_only_with_a_worker,
    webhook_promises.every_event_is_owed_once,
    webhook_promises.every_webhook_arrives,
    webhook_promises.one_id_per_event,
    webhook_promises.every_webhook_is_signed,
)
_SHOWN = 10
_INNOCENT = ("plain", "twin", "burst")


def broken(evidence: Evidence) -> dict[str, list[str]]:
    """What breaks each promise that is broken, by the promise's name."""
    found = {promise.__name__: list(promise(evidence)) for promise in PROMISES}
    return {name: faults for name, faults in found.items() if faults}


def figures(evidence: Evidence) -> dict[str, object]:
    """What the run was like."""
    runs = [run for of_job in evidence.stage_runs.values() for run in of_job]
    kills = Counter(f"{line['how']} {line['of']}" for line in evidence.lines("kill"))
    done = Counter((run.job_id, run.stage) for run in runs if run.outcome == "succeeded")
    return {
        "acknowledged": len({line["job"] for line in evidence.lines("accepted")}),
        "ended": dict(Counter(job.state for job in evidence.jobs.values())),
        "failed with": dict(Counter(job.error_code for job in evidence.jobs.values())),
        "answered by": dict(Counter(job.cache for job in evidence.jobs.values())),
        "kills": sum(kills.values()),
        "kills by kind": dict(sorted(kills.items())),
        "innocents failed": len(_innocents(evidence)),
        "worker deaths": try_promises.worker_deaths(evidence),
        "stage runs": len(runs),
        "stage runs lost": len(try_promises.lost_runs(evidence)),
        "stages done again": sum(count - 1 for count in done.values()),
        "rewinds": sum(job.rewinds for job in evidence.jobs.values()),
        "webhooks": sum(len(rows) for rows in evidence.deliveries.values()),
        "webhook tries": len(evidence.receipts),
        "refusals": dict(Counter(line["status"] for line in evidence.lines("refusal"))),
        "no answer": len(evidence.lines("no answer")),
    }


def judge(folder: Path) -> int:
    """Print figures and verdict; 0 if every promise was kept, else 1."""
    evidence = load_evidence(folder)
    for name, value in figures(evidence).items():
        click.echo(f"{name:<18} {value}")
    faults = broken(evidence)
    for name, lines in faults.items():
        click.echo(f"\nBROKEN: {name} ({len(lines)})")
        for line in lines[:_SHOWN]:
            click.echo(f"  {line}")
    click.echo(f"\n{len(PROMISES) - len(faults)} of {len(PROMISES)} promises kept")
    return 1 if faults else 0


def _innocents(evidence: Evidence) -> set[str]:
    """Jobs that failed though nothing was wrong with them: each of their tries was killed."""
    plain = {line["job"] for line in evidence.lines("accepted") if line["kind"] in _INNOCENT}
    return {job.id for job in evidence.jobs.values() if job.id in plain and job.state == "failed"}


if __name__ == "__main__":
    sys.exit(judge(Path(sys.argv[1])))
