"""Dashboard, alarms and their page: all speak of figures there are, and of all of them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from myriad.embedded import EmbeddedValkey
from tests.processes import ROOT
from tests.web.conftest import make_home
from tests.web.situation import Figures, measured_site

PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())
ALARMS = [rule for group in RULES["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "myriad.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
PAGE = (ROOT / "docs" / "operations.md").read_text()

# Made by Prometheus, or by its client of every process.
FOREIGN = {"up": {"job", "instance"}, "process_resident_memory_bytes": {"job", "instance"}}
ADDED = {"job", "instance"}


@dataclass(frozen=True)
class Use:
    """A figure in an expression, with the labels that are asked of it."""

    name: str
    labels: frozenset[str]


@dataclass(frozen=True)
class Told:
    """Names of all figures, and the labels of those samples that there are."""

    names: set[str]
    labels: dict[str, set[str]]

    @property
    def own(self) -> set[str]:
        return {name for name in self.names if name.startswith("myriad_")}


def expressions() -> list[str]:
    panels = [target["expr"] for panel in PANELS for target in panel["targets"]]
    return [rule["expr"] for rule in ALARMS] + panels


def uses(expression: str) -> Iterator[Use]:
    tree = promql.parse(expression.replace("$__rate_interval", "5m"))
    yield from _walk(tree)


def _walk(node: Any) -> Iterator[Use]:
    if isinstance(node, promql.VectorSelector):
        yield Use(str(node.name), frozenset(each.name for each in node.matchers.matchers))
    for name in ("expr", "lhs", "rhs", "vector_selector"):
        if (below := getattr(node, name, None)) is not None:
            yield from _walk(below)
    for below in getattr(node, "args", None) or ():
        yield from _walk(below)


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path, valkey: EmbeddedValkey
) -> Told:
    """By a farm that has seen everything."""
    home = make_home(tmp_path_factory.mktemp("measured"), _migrated_sqlite)
    with measured_site(home, valkey.url) as site:
        here, all_of_it = Figures(site.client.get("/metrics").text), site.figures()
        return Told(here.names | all_of_it.names, here.labels | all_of_it.labels)


def base(sample: str) -> str:
    """The name under which docs tell of a sample."""
    return re.sub("_(bucket|sum|count)$", "", sample)


def test_every_figure_that_is_used_exists(told: Told) -> None:
    for expression in expressions():
        found = list(uses(expression))
        assert found, expression
        for use in found:
            assert base(use.name) in told.names | set(FOREIGN), expression
            known = (told.labels | FOREIGN).get(use.name)
            assert known is None or use.labels <= known | ADDED, expression


def test_every_figure_is_shown_or_watched(told: Told) -> None:
    used = {base(use.name) for expression in expressions() for use in uses(expression)}
    assert told.own - used == {"myriad_build_info"}


def test_the_page_tells_of_every_figure_and_of_no_other(told: Told) -> None:
    assert set(re.findall(r"`(myriad_\w+)`", PAGE)) == told.own


def test_the_page_tells_what_to_do_about_each_alarm() -> None:
    told = re.findall(r"^\| `(Myriad\w+)` \|", PAGE, re.MULTILINE)
    assert told == [rule["alert"] for rule in ALARMS]


@pytest.mark.parametrize("rule", ALARMS, ids=lambda rule: rule["alert"])
def test_an_alarm_is_whole(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("page", "warning", "info")
    assert rule["annotations"]["summary"]
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
    tree = promql.parse(rule["expr"])
    # Without a comparison it would always ring.
    assert isinstance(tree, promql.BinaryExpr)


def test_the_example_reads_these_rules() -> None:
    example = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert example["rule_files"] == ["rules.yml"]
    (scrape,) = example["scrape_configs"]
    assert (scrape["job_name"], scrape["metrics_path"]) == ("myriad", "/metrics")


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == [
        *("Queue", "Throughput", "Latency", "Batching"),
        *("Residency", "Cache", "Webhooks", "Limits", "Errors"),
    ]
    (source,) = DASHBOARD["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${" + source["name"] + "}"
        assert panel["targets"]
