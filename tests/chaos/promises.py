"""The farm's promises, each a function that names whatever breaks it."""

from collections import Counter
from collections.abc import Iterator

from myriad.job import FINAL_STATES, EventKind
from myriad.params import GenerationParams
from tests.chaos.engine import expected_sha256
from tests.chaos.evidence import Evidence, grouped

FINAL = frozenset(state.value for state in FINAL_STATES)
_RANK = {"queued": 0, "running": 0, **dict.fromkeys(FINAL, 1)}


def no_job_is_lost(evidence: Evidence) -> Iterator[str]:
    """What was acknowledged has a row, and has come to an end."""
    for line in evidence.lines("accepted"):
        job = evidence.jobs.get(line["job"])
        if job is None:
            yield f"{line['job']} was acknowledged and is not there"
        elif job.state not in FINAL:
            yield f"{job.id} never ended: {job.state} in {job.stage}, tries {job.tries}"


def no_answer_is_a_500(evidence: Evidence) -> Iterator[str]:
    """What is away is said to be: 503, never an error of our own."""
    for line in evidence.lines("refusal"):
        if line["status"] not in (404, 429, 503):
            yield f"an answer of {line['status']}: {line['body']}"


def one_job_per_key(evidence: Evidence) -> Iterator[str]:
    """A request that is sent again makes no second job."""
    answers = grouped(evidence.lines("accepted"), lambda line: str(line["key"]))
    for key, lines in answers.items():
        jobs = {line["job"] for line in lines}
        if len(jobs) > 1:
            yield f"key {key} was answered with {len(jobs)} jobs"
    keys = {line["key"] for line in evidence.lines("asked")}
    if len(evidence.jobs) > len(keys):
        yield f"{len(evidence.jobs)} jobs for {len(keys)} keys"


def each_job_ends_once(evidence: Evidence) -> Iterator[str]:
    """One terminal event, the last one; numbers without gaps."""
    for job in evidence.jobs.values():
        events = sorted(evidence.events.get(job.id, []), key=lambda event: event.sequence)
        if [event.sequence for event in events] != list(range(1, len(events) + 1)):
            yield f"{job.id} has events {[event.sequence for event in events]}"
        kinds = [event.kind for event in events]
        if any(count > 1 for count in Counter(kinds).values()):
            yield f"{job.id} has an event twice: {kinds}"
        if job.state in FINAL and kinds[-1:] != [EventKind.COMPLETED.value]:
            yield f"{job.id} is {job.state} and its events are {kinds}"
        if EventKind.OUTPUT.value in kinds and job.state != "succeeded":
            yield f"{job.id} is {job.state} and has had output"


def one_right_result_set(evidence: Evidence) -> Iterator[str]:
    """As many pictures as asked for, each the one that its seed draws; none without success."""
    for job in evidence.jobs.values():
        images = sorted(evidence.images.get(job.id, []), key=lambda image: image.index)
        if job.state != "succeeded":
            if images:
                yield f"{job.id} is {job.state} and has {len(images)} pictures"
            continue
        params = GenerationParams.from_json(job.params)
        right = [
            expected_sha256(params.prompt, params.num_inference_steps, seed)
            for seed in params.seeds
        ]
        if [image.sha256 for image in images] != right:
            yield f"{job.id} has {len(images)} pictures, and not the right ones"


def no_stored_picture_is_damaged(evidence: Evidence) -> Iterator[str]:
    """What storage gives back is what the row says."""
    read = {line["key"]: line["sha256"] for line in evidence.lines("picture")}
    for images in evidence.images.values():
        for image in images:
            if read.get(image.storage_key) != image.sha256:
                yield f"{image.storage_key} of {image.job_id} is damaged or gone"


def states_never_go_back(evidence: Evidence) -> Iterator[str]:
    """Once somebody has seen the end, everybody sees that end; and so says the row."""
    for job_id, lines in grouped(evidence.lines("seen"), lambda line: str(line["job"])).items():
        ends = {line["status"] for line in lines if line["status"] in FINAL}
        if len(ends) > 1:
            yield f"{job_id} was seen as {sorted(ends)}"
        job = evidence.jobs.get(job_id)
        if job is not None and ends and job.state not in ends:
            yield f"{job_id} was seen as {sorted(ends)} and is {job.state}"
        ended_at = min((line["at"] for line in lines if line["status"] in FINAL), default=None)
        for line in lines:
            if ended_at and line["asked_at"] > ended_at and _RANK[line["status"]] == 0:
                yield f"{job_id} had ended and was seen as {line['status']}"
        yield from _unstarted(evidence, job_id, lines)


def _unstarted(evidence: Evidence, job_id: str, lines: list[dict[str, object]]) -> Iterator[str]:
    """Back from running to queued goes only a job whose worker failed it."""
    was_tried_again = any(
        run.outcome not in ("succeeded", "running") for run in evidence.stage_runs.get(job_id, [])
    )
    job = evidence.jobs.get(job_id)
    if was_tried_again or job is None or job.leader_id is not None:
        return
    running = [float(str(line["at"])) for line in lines if line["status"] == "running"]
    for line in lines:
        if running and line["status"] == "queued" and float(str(line["asked_at"])) > min(running):
            yield f"{job_id} went back from running to queued, and no try had failed"


def charged_once(evidence: Evidence) -> Iterator[str]:
    """Where usage is counted, each job is counted once."""
    if evidence.usage:
        counted = sum(row.jobs for row in evidence.usage)
        if counted != len(evidence.jobs):
            yield f"{counted} jobs were charged, and {len(evidence.jobs)} made"
