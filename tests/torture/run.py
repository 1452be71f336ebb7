"""One run of the torture test: load, faults, healing, rest, evidence, findings; and the figures that it gives."""

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deploy.local.kafka import KafkaBroker
from deploy.local.postgres import PostgresCluster
from deploy.local.proxy import Service
from tests.torture.checker import check, without_repeats
from tests.torture.client import Sender
from tests.torture.evidence import gather, until_at_rest
from tests.torture.ledger import Evidence, Finding, Ledger
from tests.torture.load import Crowd, Habits
from tests.torture.nemesis import Listener, hang_kafka, kill, kill_times
from tests.torture.outages import kafka_full, postgres_full, postgres_gone, postgres_read_only
from tests.torture.receiver import Receiver, receiver
from tests.torture.rig import KEY, RULES, Rig
from tests.torture.strangers import Strangers
from tests.torture.windows import detection_delays_s

_BETWEEN_OUTAGES_S = 3.0


@dataclass(frozen=True)
class Faults:
    """What goes wrong: so many kills (each of the `copies` of each service in turn) until `within_s`; `resent`, the
    share of records that are written twice; the broker hangs for `hangs_s` after `hangs_after_s`. With
    `strangers` there is hostile input all the while. With `outage_s` each part is out of order for that long:
    PostgreSQL read-only, full and gone, Kafka's disk full. `sabotage` names a way for a service.
    """

    copies: int = 1
    kills: int = 0
    within_s: float = 40.0
    resent: float = 0.0
    strangers: bool = False
    outage_s: float = 0.0
    hangs_after_s: float = 0.0
    hangs_s: float = 0.0
    sabotage: Mapping[Service, str] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a run found, and its figures."""

    findings: list[Finding]
    figures: Mapping[str, Any]

    @property
    def kinds(self) -> Counter[str]:
        """How many findings of each kind."""
        return Counter(finding.kind for finding in self.findings)


async def torture(
    broker: KafkaBroker,
    postgres: PostgresCluster,
    logs: Path,
    habits: Habits,
    faults: Faults,
    *,
    seed: int,
    rest_within_s: float = 150,
) -> Outcome:
    """Run it; the same seed gives the same plans. Afterwards `logs` has what the services
    said, and the figures."""
    ledger, began = Ledger(), time.monotonic()
    async with (
        Rig(broker, postgres.url, logs, copies=faults.copies, sabotage=faults.sabotage) as rig,
        receiver(ledger) as subscriber,
    ):
        await _subscribe(rig, subscriber)
        started = time.monotonic()
        crowd = Crowd(Sender(rig.ports("ingest"), KEY), ledger, habits, seed)
        strangers = Strangers(rig.ports("ingest"), broker.bootstrap, ledger)
        async with _listening(rig, faults, crowd, seed) as listener:
            await _load(rig, crowd, strangers if faults.strangers else None, _scenes(rig, postgres, faults, seed))
            loaded = time.monotonic()
            listener.stop_resending()
            left = await until_at_rest(rig, lambda: crowd.pending, within_s=rest_within_s)
            rested = time.monotonic()
        await crowd.close()
        evidence = await gather(rig, left)
        figures = {
            "seed": seed,
            "started_s": round(started - began, 1),
            "loaded_s": round(loaded - started, 1),
            "rested_s": round(rested - loaded, 1),
            "kills": dict(rig.kills),
            "crashes": rig.crashes(),
            "records_resent": listener.resent,
            "requests_repeated": crowd.repeats,
            "hostile": strangers.sent,
            "must_be_quarantined": len(ledger.set_aside) + len(ledger.bad_records),
        }
    figures["stopped_s"] = round(time.monotonic() - rested, 1)
    outcome = Outcome(check(ledger, evidence, RULES), {**figures, **_counted(ledger, evidence)})
    (logs / "figures.json").write_text(json.dumps({**outcome.figures, "findings": outcome.kinds}, indent=2))
    return outcome


async def _load(
    rig: Rig, crowd: Crowd, strangers: Strangers | None, scenes: Sequence[Coroutine[Any, Any, None]]
) -> None:
    async with asyncio.TaskGroup() as group:
        hostile = [group.create_task(strangers.run())] if strangers is not None else []
        under_way = [group.create_task(each) for each in (*scenes, crowd.post_leads())]
        await asyncio.gather(*under_way)
        if strangers is not None:
            strangers.stop()
        await asyncio.gather(*hostile)
    await rig.until_ready()


def _scenes(rig: Rig, postgres: PostgresCluster, faults: Faults, seed: int) -> Sequence[Coroutine[Any, Any, None]]:
    scenes = [kill(rig, kill_times(list(rig.processes), faults.kills, faults.within_s, seed))]
    if faults.hangs_s:
        scenes.append(hang_kafka(rig, faults.hangs_after_s, faults.hangs_s))
    if faults.outage_s:
        scenes.append(_outages(rig, postgres, faults.outage_s))
    return scenes


async def _outages(rig: Rig, postgres: PostgresCluster, for_s: float) -> None:
    for outage in (postgres_read_only, postgres_full, postgres_gone):
        await asyncio.sleep(_BETWEEN_OUTAGES_S)
        await outage(postgres, for_s)
    await asyncio.sleep(_BETWEEN_OUTAGES_S)
    await kafka_full(rig.broker, for_s)


async def _subscribe(rig: Rig, subscriber: Receiver) -> None:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as client:
        url = f"http://127.0.0.1:{rig.ports('delivery')[0]}/v1/subscriptions"
        answer = await client.post(url, json={"url": subscriber.url, "events": ["*"]})
    assert answer.status_code == 201, answer.text
    subscriber.secret = answer.json()["secret"]


@asynccontextmanager
async def _listening(rig: Rig, faults: Faults, crowd: Crowd, seed: int) -> AsyncIterator[Listener]:
    listener = Listener(rig.broker.bootstrap, share=faults.resent, seed=seed, on_assigned=crowd.on_assigned)
    tasks = [asyncio.create_task(listener.run()), asyncio.create_task(crowd.follow_up())]
    try:
        yield listener
        failed = [task for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert not failed, ends


def _counted(ledger: Ledger, evidence: Evidence) -> dict[str, Any]:
    records = without_repeats(evidence.records)
    delays = detection_delays_s(records, RULES)
    kinds = Counter(record.type.removeprefix("baton.").removesuffix(".v1") for record in records)
    deliveries = Counter(webhook.webhook_id for webhook in ledger.webhooks)
    return {
        "inquiries": len(ledger.inquiries),
        "activities": len(ledger.activities),
        "events": dict(kinds),
        "records_twice": len(evidence.records) - len(records),
        "webhooks": len(deliveries),
        "webhooks_twice": deliveries.total() - len(deliveries),
        "detection_s": {
            "p50": round(statistics.median(delays), 2),
            "p99": round(delays[int(len(delays) * 0.99)], 2),
            "max": round(delays[-1], 2),
        }
        if delays
        else {},
    }
