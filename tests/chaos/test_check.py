"""The checker must be able to say no: an honest run passes, each forged one is caught."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from myriad.db.tables import EventRow
from tests.chaos.check import broken, judge
from tests.chaos.evidence import Evidence, load_evidence
from tests.chaos.honest_run import (
    AT,
    GOOD,
    POISON,
    leave_honest_run,
    make_image,
    make_job,
    stage_run,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("honest")
    leave_honest_run(folder)
    return folder


@pytest.fixture
def evidence(folder: Path) -> Evidence:
    return load_evidence(folder)


def test_an_honest_run_passes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge(folder) == 0
    assert "16 of 16 promises kept" in capsys.readouterr().out


def _lose(evidence: Evidence) -> None:
    del evidence.jobs[GOOD]


def _leave_running(evidence: Evidence) -> None:
    evidence.jobs[GOOD].state = "running"


def _answer_500(evidence: Evidence) -> None:
    evidence.history.append({"what": "refusal", "status": 500, "body": ""})


def _answer_twice(evidence: Evidence) -> None:
    line = next(line for line in evidence.history if line["what"] == "accepted")
    evidence.history.append({**line, "job": POISON})


def _end_twice(evidence: Evidence) -> None:
    evidence.events[GOOD].append(EventRow(job_id=GOOD, sequence=4, kind="completed", created_at=AT))


def _skip_a_number(evidence: Evidence) -> None:
    evidence.events[GOOD][0].sequence = 9


def _two_result_sets(evidence: Evidence) -> None:
    evidence.images[GOOD].append(make_image(1, "0" * 64))


def _another_picture(evidence: Evidence) -> None:
    evidence.images[GOOD][0].sha256 = "0" * 64


def _damage(evidence: Evidence) -> None:
    next(line for line in evidence.history if line["what"] == "picture")["sha256"] = "0" * 64


def _go_back(evidence: Evidence) -> None:
    late = {"what": "seen", "job": GOOD, "status": "running", "asked_at": 9e9, "at": 9e9}
    evidence.history.append(late)


def _queue_again(evidence: Evidence) -> None:
    end = evidence.history.index(
        next(line for line in evidence.history if line.get("status") == "succeeded")
    )
    late = {"what": "seen", "job": GOOD, "status": "queued", "asked_at": 9e9, "at": 9e9}
    evidence.history[end] = late


def _two_ends(evidence: Evidence) -> None:
    evidence.history.append(
        {"what": "seen", "job": GOOD, "status": "canceled", "asked_at": 0, "at": 0}
    )


def _charge_twice(evidence: Evidence) -> None:
    evidence.usage[0].jobs = 3


def _harm_a_neighbour(evidence: Evidence) -> None:
    evidence.jobs[GOOD].state = "failed"
    evidence.jobs[GOOD].error_code = "worker_lost"


def _try_for_ever(evidence: Evidence) -> None:
    evidence.stage_runs[POISON].append(stage_run(POISON, 9, "encode", "worker_lost"))


def _do_twice(evidence: Evidence) -> None:
    evidence.stage_runs[GOOD].append(stage_run(GOOD, 9, "encode", "succeeded"))


def _draw_the_same_twice(evidence: Evidence) -> None:
    twin = make_job("c" * 32, "a red circle", "succeeded")
    twin.exact_key = evidence.jobs[GOOD].exact_key
    evidence.jobs[twin.id] = twin
    evidence.stage_runs[twin.id] = [stage_run(twin.id, 1, "encode", "succeeded")]


def _nobody_died(evidence: Evidence) -> None:
    evidence.history[:] = [line for line in evidence.history if line["what"] != "death"]


def _owe_nothing(evidence: Evidence) -> None:
    del evidence.deliveries[GOOD]


def _owe_twice(evidence: Evidence) -> None:
    evidence.deliveries[GOOD] *= 2


def _never_deliver(evidence: Evidence) -> None:
    del evidence.receipts[1]


def _give_up(evidence: Evidence) -> None:
    evidence.deliveries[GOOD][0].state = "given_up"


def _change_the_id(evidence: Evidence) -> None:
    evidence.receipts[0]["id"] = "msg_2"


def _tell_of_another(evidence: Evidence) -> None:
    evidence.receipts[0]["body"] = evidence.receipts[0]["body"].replace(GOOD, POISON)


def _forge_a_signature(evidence: Evidence) -> None:
    evidence.receipts[0]["signature"] = "v1,AAAA"


def _sign_too_late(evidence: Evidence) -> None:
    evidence.history[:] = [line for line in evidence.history if line["what"] != "clock"]


Forge = Callable[[Evidence], None]
FORGED: dict[Forge, str] = {
    _lose: "no_job_is_lost",
    _leave_running: "no_job_is_lost",
    _answer_500: "no_answer_is_a_500",
    _answer_twice: "one_job_per_key",
    _end_twice: "each_job_ends_once",
    _skip_a_number: "each_job_ends_once",
    _two_result_sets: "one_right_result_set",
    _another_picture: "one_right_result_set",
    _damage: "no_stored_picture_is_damaged",
    _go_back: "states_never_go_back",
    _queue_again: "states_never_go_back",
    _two_ends: "states_never_go_back",
    _charge_twice: "charged_once",
    _harm_a_neighbour: "only_culprits_fail",
    _try_for_ever: "tries_are_few",
    _do_twice: "tries_are_few",
    _draw_the_same_twice: "one_run_answers_all_who_ask_for_the_same",
    _nobody_died: "work_is_lost_only_with_a_worker",
    _owe_nothing: "every_event_is_owed_once",
    _owe_twice: "every_event_is_owed_once",
    _never_deliver: "every_webhook_arrives",
    _give_up: "every_webhook_arrives",
    _change_the_id: "one_id_per_event",
    _tell_of_another: "one_id_per_event",
    _forge_a_signature: "every_webhook_is_signed",
    _sign_too_late: "every_webhook_is_signed",
}


@pytest.mark.parametrize(
    ("forge", "promise"), FORGED.items(), ids=lambda it: getattr(it, "__name__", it)
)
def test_a_forged_run_is_caught(evidence: Evidence, forge: Forge, promise: str) -> None:
    assert broken(evidence) == {}
    forge(evidence)
    assert promise in broken(evidence)


def test_a_verdict_of_no_is_an_exit_code(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = shutil.copytree(folder, tmp_path / "forged")
    (forged / "receiver.jsonl").unlink()
    assert judge(forged) == 1
    assert "BROKEN: every_webhook_arrives" in capsys.readouterr().out
