"""What is asked often, or of tables that only grow, is answered through an index.

Of SQLite, whose plans do not depend on how many rows there happen to be.
"""

from collections.abc import Callable, Iterator

import pytest

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.database import Database
from myriad.db.intake import submit
from myriad.db.retention import expire_history, expire_jobs
from myriad.db.sweep import forget_idempotency_keys
from myriad.db.tables import Base
from myriad.db.usage import Allowance
from tests.db.statements import statements
from tests.db.steps import run_whole
from tests.submissions import make_submission

Ask = Callable[[Database], object]
SOME = Allowance(max_queued=10)


@pytest.fixture
def db(migrated_sqlite_url: str, worker: Claimant) -> Iterator[Database]:
    """With a job that has ended."""
    database = Database(migrated_sqlite_url)
    asked = make_submission(seed=1, idempotency_key="k", request_hash="h")
    run_whole(database, submit(database, asked).job_id, worker)
    yield database
    database.close()


def ask_again(db: Database) -> object:
    return submit(db, make_submission(), allowance=SOME)


def ask_again_with_its_seed(db: Database) -> object:
    return submit(db, make_submission(seed=1), allowance=SOME)


def ask_anew(db: Database) -> object:
    return submit(db, make_submission("new"), allowance=SOME)


def forget_history(db: Database) -> object:
    return expire_history(db, clock.now())


def forget_jobs(db: Database) -> object:
    return expire_jobs(db, clock.now())


def plans(db: Database, ask: Ask) -> dict[str, str]:
    """How SQLite goes about each statement, by statement."""
    with statements(db) as said:
        ask(db)
    looked = [each for each in said if each[0].startswith(("SELECT", "WITH", "UPDATE", "DELETE"))]
    assert looked
    with db.read() as session:
        connection = session.connection()
        return {
            statement: "\n".join(
                row.detail
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            )
            for statement, values in looked
        }


@pytest.mark.parametrize(
    "ask", [ask_again, ask_anew, forget_history, forget_jobs, forget_idempotency_keys]
)
def test_no_table_is_read_from_end_to_end(db: Database, ask: Ask) -> None:
    scans = tuple(f"SCAN {table}" for table in Base.metadata.tables)
    found = plans(db, ask)
    assert {said: plan for said, plan in found.items() if any(scan in plan for scan in scans)} == {}


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (ask_again, "INDEX ix_jobs_any_seed_state (any_seed_key=? AND state=?"),
        (ask_again_with_its_seed, "INDEX ix_jobs_exact_state (exact_key=? AND state=?"),
        (ask_anew, "COVERING INDEX ix_jobs_key_leader (api_key_id=? AND state=?"),
        (forget_jobs, "INDEX sqlite_autoindex_webhook_deliveries_2 (job_id=?"),
    ],
)
def test_the_index_leads_to_the_row_itself(db: Database, ask: Ask, index: str) -> None:
    """Not to all of the same key or state, nor need those who wait be read to be counted."""
    (plan,) = [plan for plan in plans(db, ask).values() if index in plan]
    assert "TEMP B-TREE" not in plan
