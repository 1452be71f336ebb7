"""Alert rules name metrics that exist, and the runbook says what to do about each alert."""

import re
import shutil
import subprocess
from typing import Any

import prometheus_client
import pytest
import yaml

from shared import metrics
from tests.architecture.tree import ROOT

FILES = sorted((ROOT / "deploy/prometheus").glob("*.yaml"))
RULES = [
    (file, rule) for file in FILES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]
]
NAMES = {
    name
    for metric in vars(metrics).values()
    if isinstance(metric, prometheus_client.metrics.MetricWrapperBase)
    for sample in metric.describe()
    for name in (sample.name, f"{sample.name}_total", f"{sample.name}_bucket")
}


@pytest.mark.parametrize("rule", [rule for _, rule in RULES], ids=lambda rule: str(rule["alert"]))
def test_an_alert_asks_for_metrics_that_exist_and_is_in_the_runbook(rule: dict[str, Any]) -> None:
    asked = set(re.findall(r"baton_\w+", rule["expr"]))
    assert asked
    assert asked <= NAMES
    assert rule["expr"].count("(") == rule["expr"].count(")")
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "description"}
    assert f"\n## {rule['alert']}\n" in (ROOT / "docs/runbook.md").read_text()


def test_the_runbook_has_no_alert_that_is_gone() -> None:
    headings = re.findall(r"^## (Baton\w+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(rule["alert"] for _, rule in RULES)


def test_prometheus_reads_the_rules_where_its_tool_is_there() -> None:
    tool = shutil.which("promtool")
    if tool is not None:
        subprocess.run([tool, "check", "rules", *FILES], check=True)
