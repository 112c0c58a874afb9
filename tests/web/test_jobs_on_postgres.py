"""What of the jobs API leans on SQL, over PostgreSQL: the tests made for SQLite, run once more."""

import pytest

from tests.web import test_jobs
from tests.web.conftest import OpenApp
from web.app import FrontEnd


@pytest.fixture
def app(open_app: OpenApp, migrated_postgres_url: str) -> FrontEnd:
    return open_app(database_url=migrated_postgres_url)


test_finished_job_leads_to_its_picture = test_jobs.test_finished_job_leads_to_its_picture
test_same_request_again_is_answered_from_the_cache = (
    test_jobs.test_same_request_again_is_answered_from_the_cache
)
test_identical_requests_in_flight_share_one_run = (
    test_jobs.test_identical_requests_in_flight_share_one_run
)
test_replayed_idempotency_key_gives_the_same_job = (
    test_jobs.test_replayed_idempotency_key_gives_the_same_job
)
test_cancel_is_final_and_may_be_repeated = test_jobs.test_cancel_is_final_and_may_be_repeated
test_list_pages_from_newest_to_oldest = test_jobs.test_list_pages_from_newest_to_oldest
test_list_filters_by_status = test_jobs.test_list_filters_by_status
test_queue_position_counts_those_before = test_jobs.test_queue_position_counts_those_before
