"""A caller's jobs of one door that have not ended."""

from myriad.claimant import Claimant
from myriad.db.cancel import cancel_job
from myriad.db.database import Database
from myriad.db.intake import submit
from myriad.db.keys import create_key
from myriad.db.live import count_live, live_jobs
from myriad.job import JobState, Stage
from tests.db.steps import take
from tests.submissions import make_submission


def test_what_runs_comes_first_and_each_by_age(db: Database, worker: Claimant) -> None:
    me, other = (create_key(db, name)[0] for name in ("me", "other"))

    def ask(prompt: str, key: str = me, door: str = "comfyui") -> str:
        asked = make_submission(prompt, api_key_id=key, door=door, metadata={"of": prompt})
        return submit(db, asked).job_id

    early, late, running, ended = (ask(name) for name in ("early", "late", "running", "ended"))
    ask("another's", key=other)
    ask("elsewhere", door="native")
    take(db, running, Stage.ENCODE, worker)
    cancel_job(db, ended, scope=me)
    found = live_jobs(db, scope=me, door="comfyui")
    assert [job.id for job in found] == [running, early, late]
    assert [job.state for job in found] == [JobState.RUNNING, JobState.QUEUED, JobState.QUEUED]
    assert found[1].metadata == {"of": "early"}
    assert count_live(db, scope=me, door="comfyui") == 3
