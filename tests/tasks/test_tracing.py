"""One request through all processes: one trace, ids in every line, and no secret in any."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from myriad.embedded import EmbeddedValkey
from myriad.settings import Settings
from myriad.tracing import SpanKind, open_tracer
from tests.processes import FAST_WORKER, JANITOR, ROOT, SENDER, Processes, wait_until
from tests.tasks.collector import Collector, Told, collecting
from tests.tasks.conftest import TINY_CATALOG
from tests.web.server import GUNICORN, free_port
from tests.webhook.peers import Received, receiving

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STAGES = ("encode", "denoise", "decode")
PROMPT = "a canary-prompt-7741 on a wire"
BROKEN = "quote \"canary-broken-7741\" and '圆'"
TOKEN = "canary-token-7741"
QUEUE = "encode.all"


@dataclass(frozen=True)
class Run:
    """What is left of a farm that drew one job and failed at another."""

    job: str
    key: str
    collector: Collector
    hint: dict[str, Any]
    received: Received
    logs: str

    def span(self, name: str) -> Told:
        """The one of that name in the caller's trace."""
        (span,) = [span for span in self.collector.named(name) if span.trace_id == TRACE]
        return span

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.logs.splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == event]


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path, valkey: EmbeddedValkey
) -> Iterator[Run]:
    home, logs = tmp_path_factory.mktemp("traced"), tmp_path_factory.mktemp("logs")
    shutil.copy(_migrated_sqlite, home / "myriad.db")
    (home / "tiny").mkdir()
    (home / "tiny" / "config.json").write_text("{}")
    (home / "catalog.toml").write_text(TINY_CATALOG)
    with collecting() as collector, receiving() as receiver, Redis.from_url(valkey.url) as redis:
        redis.flushall()
        values = _environment(home, valkey.url, collector.url)
        key = _new_key(values)
        processes = Processes(values, logs)
        try:
            url = f"http://127.0.0.1:{values['MYRIAD_PORT']}"
            ask = _asking(processes, url, key)
            hook = f"{receiver.url}?token={TOKEN}"
            job = ask(prompt=PROMPT, webhook=hook, webhook_events_filter=["completed"])
            wait_until(lambda: redis.llen(QUEUE) > 0, what=processes.logs)
            hint = json.loads(redis.lindex(QUEUE, 0))
            redis.flushall()  # the trace must not hang on it
            ask(prompt=BROKEN)
            for command in (FAST_WORKER, JANITOR, SENDER):
                processes.start(command)
            wait_until(lambda: bool(receiver.received), what=processes.logs)
            wait_until(lambda: "stage_broke" in processes.logs(), what=processes.logs)
            wait_until(lambda: bool(collector.named("webhook")), what=processes.logs)
            wait_until(lambda: len(collector.named("encode")) > 1, what=processes.logs)
            yield Run(job, key, collector, hint, receiver.received[0], processes.logs())
        finally:
            processes.close()


def _environment(home: Path, redis_url: str, collector_url: str) -> dict[str, str]:
    return {
        "MYRIAD_HOME": str(home),
        "MYRIAD_REDIS_URL": redis_url,
        "MYRIAD_CATALOG": str(home / "catalog.toml"),
        "MYRIAD_PORT": str(free_port()),
        "MYRIAD_REDISPATCH_S": "1",
        "MYRIAD_JANITOR_INTERVAL_S": "0.1",
        "MYRIAD_RETRY_DELAY_S": "0",
        "MYRIAD_MAX_TRIES": "1",
        "MYRIAD_WEBHOOK_ALLOW": "127.0.0.0/8",
        "MYRIAD_LOG_FORMAT": "json",
        "MYRIAD_LOG_LEVEL": "debug",
        "MYRIAD_OTLP_ENDPOINT": collector_url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",  # ms; OpenTelemetry's own setting
    }


def _new_key(values: dict[str, str]) -> str:
    command = [sys.executable, "-m", "myriad", "keys", "create", "me"]
    environment = {"PATH": "/usr/bin:/bin", **values, "MYRIAD_OTLP_ENDPOINT": ""}
    made = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return made.stdout.split("key  ")[1].split()[0]


def _asking(processes: Processes, url: str, key: str) -> Any:
    """Starts the web process; gives what posts a job to it and says its id."""
    processes.start(GUNICORN)
    headers = {
        "Authorization": f"Bearer {key}",
        "traceparent": f"00-{TRACE}-{SPAN}-01",
        "X-Request-Id": "request-7741",
    }

    def is_up() -> bool:
        try:
            return httpx.get(f"{url}/livez", trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def ask(**asked: Any) -> str:
        body = {"num_inference_steps": 1, "width": 64, "height": 64, **asked}
        answer = httpx.post(f"{url}/api/v1/jobs", json=body, headers=headers, trust_env=False)
        assert answer.status_code == 201, answer.text
        assert answer.headers["X-Request-Id"] == headers["X-Request-Id"]
        headers.pop("traceparent", None)
        return str(answer.json()["id"])

    wait_until(is_up, what=processes.logs)
    return ask


def test_one_trace_from_the_request_to_the_webhook(run: Run) -> None:
    web = run.span("POST /api/v1/jobs")
    assert web.parent_id == SPAN
    assert web.attributes["http.response.status_code"] == 201
    for name in (*STAGES, "webhook"):
        span = run.span(name)
        assert span.parent_id == web.span_id, name
        assert span.attributes["myriad.job"] == run.job
        assert not span.is_error


def test_a_stage_says_what_and_where_it_was(run: Run) -> None:
    for attempt, stage in enumerate(STAGES, start=1):
        assert run.span(stage).attributes == {
            "myriad.job": run.job,
            "myriad.stage": stage,
            "myriad.model": "tiny",
            "myriad.attempt": attempt,
            "myriad.pool": "all",
        }


def test_the_receiver_can_go_on_with_the_trace(run: Run) -> None:
    sent = run.received.headers["traceparent"]
    assert sent == f"00-{TRACE}-{run.span('webhook').span_id}-01"


def test_the_hint_carries_the_trace_too(run: Run) -> None:
    web = run.span("POST /api/v1/jobs")
    assert run.hint["headers"]["traceparent"] == f"00-{TRACE}-{web.span_id}-01"


def test_what_failed_is_marked_and_is_a_trace_of_its_own(run: Run) -> None:
    (broken,) = [span for span in run.collector.named("encode") if span.trace_id != TRACE]
    assert broken.is_error
    assert broken.attributes["error.type"] == "ValueError"


def test_lines_name_request_job_and_stage(run: Run) -> None:
    (answered, _) = [line for line in run.lines("answered") if line["method"] == "POST"]
    assert (answered["request"], answered["job"]) == ("request-7741", run.job)
    assert answered["key"]
    assert len(run.lines("answered")) == len({*map(str, run.lines("answered"))})
    (broke,) = run.lines("stage_broke")
    assert (broke["stage"], broke["attempt"], broke["level"]) == ("encode", 1, "error")
    assert "ValueError: cannot read '…'" in broke["exception"]


def test_every_line_is_one_of_ours(run: Run) -> None:
    for line in run.logs.splitlines():
        assert not line or line.startswith(("{", "--- ")), line


@pytest.mark.parametrize("where", ["logs", "traces"])
def test_no_secret_is_told(run: Run, where: str) -> None:
    text = run.logs if where == "logs" else run.collector.raw.decode(errors="replace")
    assert len(text) > 1000
    assert "7741" not in text.replace("request-7741", "")
    assert run.key not in text


def test_nobody_traces_unless_asked_to() -> None:
    tracer = open_tracer(Settings())
    assert not tracer.is_on
    with tracer.span("x", SpanKind.SERVER, parent=f"00-{TRACE}-{SPAN}-01") as span:
        assert span.traceparent is None
