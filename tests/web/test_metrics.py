"""Each figure of /metrics, against a situation made on purpose."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from myriad.embedded import EmbeddedValkey
from myriad.errors import (
    ConfigError,
    DeadlineExceeded,
    InvalidRequest,
    StageFailed,
    StillRunning,
    Unavailable,
)
from myriad.settings import Settings
from tests.web.conftest import make_home
from tests.web.situation import MEASURED, Figures, Site, measured_site
from web import create_app
from web.errors import as_error
from web.farm import close_farm
from web.metrics import Metrics


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, _migrated: Path, valkey: EmbeddedValkey
) -> Iterator[Site]:
    with Redis.from_url(valkey.url) as client:
        client.flushall()
    home = make_home(tmp_path_factory.mktemp("measured"), _migrated)
    with measured_site(home, valkey.url) as site:
        yield site


@pytest.fixture(scope="module")
def figures(site: Site) -> Figures:
    return site.figures()


def test_jobs_by_state(figures: Figures) -> None:
    counts = {"queued": 2, "running": 1, "succeeded": 2, "failed": 1, "canceled": 1}
    for state, count in counts.items():
        assert figures.get("myriad_jobs", state=state) == count, state


def test_jobs_by_how_the_cache_answered(figures: Figures) -> None:
    for cache, count in {"miss": 5, "hit": 1, "joined": 1}.items():
        assert figures.get("myriad_jobs_accepted_total", door="native", cache=cache) == count, cache


def test_jobs_by_how_they_ended(figures: Figures) -> None:
    def ended(**labels: str) -> float:
        return figures.get("myriad_jobs_ended_total", door="native", **labels)

    assert ended(state="succeeded", error_code="") == 2
    assert ended(state="failed", error_code="non_finite_output") == 1
    assert ended(state="canceled") == 1
    assert figures.get("myriad_job_seconds_count", model="tiny") == 2
    assert 0 < figures.get("myriad_job_seconds_sum", model="tiny") < 60


def test_what_waits(figures: Figures) -> None:
    assert figures.get("myriad_stage_waiting", stage="encode", model="large") == 1
    assert figures.get("myriad_stage_held", stage="encode", model="tiny") == 1
    assert figures.get("myriad_stage_held", model="large") == 0
    assert figures.get("myriad_stage_oldest_seconds", model="large") > 0
    assert figures.get("myriad_stage_work_seconds", model="large") == 0  # its cost is unknown yet


def test_stages(figures: Figures) -> None:
    def runs(outcome: str) -> float:
        return figures.get("myriad_stage_runs_total", model="tiny", pool="all", outcome=outcome)

    assert runs("succeeded") == 3
    assert runs("non_finite_output") == 1
    assert runs("preempted") == 1
    for stage in ("encode", "denoise", "decode"):
        assert figures.get("myriad_stage_seconds_count", stage=stage, pool="all") == 1


def test_hints_in_the_broker(figures: Figures) -> None:
    assert figures.get("myriad_queue_hints", stage="denoise") == 1
    assert figures.get("myriad_redis_up") == 1


def test_what_a_worker_reports(figures: Figures) -> None:
    assert figures.get("myriad_worker_slots", pool="all", device="cpu") == 4
    assert figures.get("myriad_model_resident_bytes", model="tiny", tier="device") == 30
    assert figures.get("myriad_model_resident_bytes", model="large", tier="host") == 40
    assert figures.get("myriad_checkpoints_total") == MEASURED.checkpoints
    assert figures.get("myriad_out_of_memory_total", rung="tile by tile") == 2
    names = ("process", "device_allocated", "device_reserved", "device_total")
    assert [figures.get(f"myriad_worker_{name}_bytes") for name in names] == [5, 6, 7, 8]


def test_batches(figures: Figures) -> None:
    module = "UNet2DConditionModel"
    passes = {
        edge: figures.get("myriad_batch_rows_bucket", module=module, le=edge)
        for edge in ("1.0", "2.0", "4.0", "64.0", "+Inf")
    }
    assert passes == {"1.0": 2, "2.0": 2, "4.0": 6, "64.0": 6, "+Inf": 7}
    assert figures.get("myriad_batch_rows_count", module=module) == 7
    assert figures.get("myriad_batch_rows_sum", module=module) == 2 * 1 + 4 * 3 + 100
    assert figures.get("myriad_batch_requests_total", module=module) == 9


def test_webhooks(figures: Figures) -> None:
    assert figures.get("myriad_webhooks_pending") == 1
    assert figures.get("myriad_webhooks_retrying") == 1
    assert figures.get("myriad_webhooks_oldest_seconds") > 0
    assert figures.get("myriad_webhooks_overdue_seconds") == 0  # due in an hour
    assert figures.get("myriad_webhooks_settled_total", state="delivered") == 1
    assert figures.get("myriad_webhook_seconds_count") == 1


def test_counters_only_grow_and_count_nothing_twice(site: Site, figures: Figures) -> None:
    before = figures.get("myriad_jobs_ended_total")
    assert site.figures().get("myriad_jobs_ended_total") == before


def test_what_ended_a_moment_ago_is_counted_once_it_is_settled(site: Site) -> None:
    fresh = Metrics(site.farm, settled=timedelta(hours=1))
    assert "myriad_jobs_ended_total" not in Figures(fresh.render().decode())


def test_what_an_alarm_asks_the_first_of_is_told_from_the_start(site: Site) -> None:
    fresh = Figures(Metrics(site.farm, settled=timedelta(hours=1)).render().decode())
    for name in ("myriad_internal_errors_total", "myriad_webhooks_settled_total"):
        assert name in fresh
        assert fresh.get(name) == 0


def test_a_defect_of_ours_is_counted_and_nothing_else(site: Site) -> None:
    def defects() -> float:
        return Figures(site.client.get("/metrics").text).get("myriad_internal_errors_total")

    with site.app.test_request_context():
        for kind in (InvalidRequest, Unavailable, StillRunning, StageFailed, DeadlineExceeded):
            as_error(kind("of the caller or the job"))
        assert defects() == 0
        assert as_error(RuntimeError("of ours")).status == 500
        assert as_error(ConfigError("of ours")).status == 500
    assert defects() == 2


def test_requests_of_this_process(site: Site) -> None:
    site.client.get("/api/v1/jobs/" + "0" * 32)
    site.client.open("/nothing/here/7", method="BREW")
    told = Figures(site.client.get("/metrics").text)

    def requests(**labels: str) -> float:
        return told.get("myriad_http_requests_total", **labels)

    assert requests(method="POST", route="/api/v1/jobs", status="201") == 7
    assert requests(method="GET", route="/api/v1/jobs/<job:job_id>", status="404") == 1
    assert requests(method="other", route="unmatched", status="404") == 1
    assert told.get("myriad_http_request_seconds_count", route="/api/v1/jobs") == 7
    assert told.get("myriad_http_requests_under_way") == 1  # this very one
    assert told.get("myriad_http_threads") == site.farm.settings.web_threads
    assert told.get("process_resident_memory_bytes") > 0
    assert told.get("myriad_build_info") == 1


def test_no_figure_names_a_job_a_prompt_or_an_address(site: Site) -> None:
    values = Figures(site.client.get("/metrics").text).label_values
    assert [value for value in values if re.search("[0-9a-f]{32}", value)] == []
    assert [value for value in values if "example.com" in value or "done" in value] == []


def test_without_redis_the_rest_is_told(site: Site) -> None:
    here = site.farm.settings
    away = {"home": here.home, "catalog": here.catalog, "redis_url": "redis://127.0.0.1:1/0"}
    app = create_app(Settings(**away))
    told = Figures(app.test_client().get("/metrics").text)
    close_farm(app)
    assert told.get("myriad_redis_up") == 0
    assert "myriad_queue_hints" not in told
    assert told.get("myriad_jobs", state="failed") == 1
