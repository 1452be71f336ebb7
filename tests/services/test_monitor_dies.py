"""The alert on the monitor's own death becomes true when it dies, although other services serve the same metrics."""

import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from tests.architecture.tree import ROOT
from tests.kit.waiting import until
from tests.services.sla_monitor_kit import Stage, stage_on

RULES = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load((ROOT / "deploy/prometheus/promises.yaml").read_text())["groups"]
    for rule in group["rules"]
}
_DEAD = re.compile(r"time\(\) - max\((\w+)\) > (\d+) or absent\(\1\)")
_MOST = re.compile(r"max\((\w+)\) > (\d+)")
_OTHER = "from prometheus_client import generate_latest; from shared import metrics; print(generate_latest().decode())"


@pytest.fixture
async def stage(embedded_bus: EmbeddedBus, database: Database) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus) as stage:
        yield stage


def fires(alert: str, scraped: Iterable[str], *, now: float) -> bool:
    """Whether the alert's expression is true for what was scraped, in the two shapes that these rules have."""
    expr = RULES[alert]
    dead, over = _DEAD.fullmatch(expr), _MOST.fullmatch(expr)
    matched = dead or over
    assert matched is not None, expr
    name, limit = matched.groups()
    samples = [
        sample.value
        for text in scraped
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]
    if not samples:
        return dead is not None
    return (now - max(samples) if dead else max(samples)) > float(limit)


async def scrape(client: httpx.AsyncClient) -> str:
    return (await client.get("http://127.0.0.1/metrics")).text


async def test_it_fires_when_the_monitor_stops_or_is_gone_and_not_while_it_runs(stage: Stage) -> None:
    other = subprocess.run(  # noqa: ASYNC221 (what a process serves that runs another service)
        [sys.executable, "-c", _OTHER], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "baton_sla_monitor_watermark_lag_seconds 0.0" in other
    async with stage.monitor() as client:
        began_at = time.time()

        async def looked() -> bool:
            return not fires("BatonMonitorDead", [other, await scrape(client)], now=began_at + 60)

        await until(looked)
        alive = await scrape(client)
        assert fires("BatonWatermarkLag", [other, alive], now=time.time()), "no ingest has said how far it is"
    assert fires("BatonMonitorDead", [other, alive], now=time.time() + 61), "its process is there, and it does not look"
    assert fires("BatonMonitorDead", [other], now=time.time()), "only other services are scraped"
    assert fires("BatonMonitorDead", [], now=time.time()), "nothing is scraped"
