"""One run of the torture test: load, faults, healing, rest, evidence, findings; and the figures that it gives."""

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from deploy.local.kafka import KafkaBroker
from deploy.local.postgres import PostgresCluster
from deploy.local.proxy import Service
from tests.torture.checker import check, without_repeats
from tests.torture.client import Sender
from tests.torture.evidence import audit, gather, periods_over, until_at_rest, until_read
from tests.torture.ledger import Evidence, Finding, Ledger, Record
from tests.torture.load import Crowd
from tests.torture.missing import lose_records
from tests.torture.nemesis import Listener, hang_kafka, kill, kill_times
from tests.torture.outages import kafka_full, postgres_full, postgres_gone, postgres_read_only, step_clocks
from tests.torture.people import Habits
from tests.torture.periods import HAND_OFF, hand_off_findings, period_findings
from tests.torture.persons import MERGED
from tests.torture.receiver import Receiver, people, receiver
from tests.torture.rig import KEY, RULES, Rig
from tests.torture.strangers import Strangers
from tests.torture.windows import detection_delays_s, facts_of

_BETWEEN_OUTAGES_S = 3.0
_READ_WITHIN_S = 120.0
_JUDGED_WITHIN_S = 60.0


@dataclass(frozen=True)
class Faults:
    """What goes wrong: so many kills (each of the `copies` of each service in turn) until `within_s`; `resent`, the
    share of records that are written twice; the broker hangs for `hangs_s` after `hangs_after_s`. With
    `strangers` there is hostile input all the while. With `outage_s` each part is out of order for that long:
    PostgreSQL read-only, full and gone, Kafka's disk full. With `clocks` those of the services are stepped after that,
    and with `missing` records are lost at last, before they were read. With `day_ends` the day does, after all of
    it. `sabotage` names ways for a service.
    """

    copies: int = 1
    kills: int = 0
    within_s: float = 40.0
    resent: float = 0.0
    strangers: bool = False
    outage_s: float = 0.0
    clocks: bool = False
    missing: bool = False
    day_ends: bool = False
    hangs_after_s: float = 0.0
    hangs_s: float = 0.0
    sabotage: Mapping[Service, str] | None = None

    @property
    def judges_hand_offs(self) -> bool:
        """Not where wrong clocks have dated inquiries, or some were lost."""
        return not (self.clocks or self.missing)


@dataclass(frozen=True)
class Run:
    """What people do, what goes wrong, and how long Baton may take to come to rest after that."""

    habits: Habits
    faults: Faults
    rest_within_s: float = 150.0


_MANY = Habits(leads=1350, per_s=30, asked_again=0.07, unfit=0.06)
_KILLS = Faults(copies=2, kills=30, within_s=45, resent=0.02, hangs_after_s=20, hangs_s=4, day_ends=True)
_FEWER = Habits(leads=500, per_s=10)
_OUTAGES = Faults(copies=2, resent=0.02, strangers=True, outage_s=5)

RUNS = {
    "kills": Run(_MANY, _KILLS),
    "outages": Run(_FEWER, _OUTAGES, rest_within_s=240),
    "kills-and-hostile-input": Run(_MANY, replace(_KILLS, strangers=True)),
    "clocks-and-lost-records": Run(_FEWER, replace(_OUTAGES, clocks=True, missing=True), rest_within_s=240),
}
"""The checker may find nothing after any of them. The tests run the first two, `make torture` all."""


@dataclass(frozen=True)
class Outcome:
    """What a run found, and its figures."""

    findings: list[Finding]
    figures: Mapping[str, Any]

    @property
    def kinds(self) -> Counter[str]:
        """How many findings of each kind."""
        return Counter(finding.kind for finding in self.findings)


async def torture(broker: KafkaBroker, postgres: PostgresCluster, logs: Path, run: Run, *, seed: int) -> Outcome:
    """Run it; the same seed gives the same plans. Afterwards `logs` has what the services logged, the figures, and
    where something was found all records."""
    ledger, began, faults = Ledger(), time.monotonic(), run.faults
    async with (
        people(ledger) as notified,
        Rig(broker, postgres.url, logs, notices=notified, copies=faults.copies, sabotage=faults.sabotage) as rig,
        receiver(ledger) as subscriber,
    ):
        await _subscribe(rig, subscriber)
        started = time.monotonic()
        sender, mover = (Sender(rig.ports(service), KEY) for service in ("ingest", "router"))
        crowd = Crowd(sender, mover, ledger, run.habits, seed)
        strangers = Strangers(rig.ports("ingest"), broker.bootstrap, ledger)
        async with _listening(rig, faults, crowd, seed) as listener:
            scenes = _scenes(rig, postgres, faults, seed)
            lost = await _load(rig, crowd, strangers if faults.strangers else None, scenes, missing=faults.missing)
            loaded = time.monotonic()
            listener.stop_resending()
            left = await until_at_rest(rig, lambda: crowd.pending, within_s=run.rest_within_s)
            rested = time.monotonic()
        await crowd.close()
        evidence = await gather(rig, left, lost)
        # What comes after that is in no evidence.
        sent = replace(ledger, webhooks=[*ledger.webhooks], receipts=[*ledger.receipts])
        audited = await audit(rig)
        periods = await periods_over(rig, within_s=_JUDGED_WITHIN_S) if faults.day_ends else []
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
    figures["periods"] = {each.measure: f"{each.counted} of {each.of}: {each.state}" for each in periods}
    findings = [*check(sent, evidence, RULES), *audited]
    records, facts = without_repeats(evidence.records), facts_of(evidence.records, sent)
    findings += hand_off_findings(records, RULES) if faults.judges_hand_offs else []
    findings += period_findings(sent, records, facts, periods, RULES) if faults.day_ends else []
    outcome = Outcome(findings, {**figures, **_counted(sent, evidence)})
    (logs / "figures.json").write_text(json.dumps({**outcome.figures, "findings": outcome.kinds}, indent=2))
    if outcome.findings:
        lines = (json.dumps(asdict(record)) for record in evidence.records)
        (logs / "records.jsonl").write_text("\n".join(lines))
    return outcome


async def _load(
    rig: Rig,
    crowd: Crowd,
    strangers: Strangers | None,
    scenes: Sequence[Coroutine[Any, Any, None]],
    *,
    missing: bool,
) -> list[Record]:
    """Let people and faults run until both are done; the records that were lost from the topics meanwhile."""
    lost: list[Record] = []
    async with asyncio.TaskGroup() as group:
        hostile = [group.create_task(strangers.run())] if strangers is not None else []
        posting = group.create_task(crowd.post_leads())
        await asyncio.gather(*(group.create_task(scene) for scene in scenes))
        if missing:
            # What is hostile has to be read, or nobody would know that it was to be quarantined.
            await _end(strangers, hostile)
            await rig.until_ready()
            await until_read(rig, within_s=_READ_WITHIN_S)
            lost = await lose_records(rig)
        crowd.enough()
        await posting
        await _end(strangers, hostile)
    await rig.until_ready()
    return lost


async def _end(strangers: Strangers | None, tasks: "Sequence[asyncio.Task[None]]") -> None:
    if strangers is not None:
        strangers.stop()
    await asyncio.gather(*tasks)


def _scenes(rig: Rig, postgres: PostgresCluster, faults: Faults, seed: int) -> Sequence[Coroutine[Any, Any, None]]:
    scenes = [kill(rig, kill_times(list(rig.processes), faults.kills, faults.within_s, seed))]
    if faults.hangs_s:
        scenes.append(hang_kafka(rig, faults.hangs_after_s, faults.hangs_s))
    if faults.outage_s:
        scenes.append(_outages(rig, postgres, faults.outage_s, clocks=faults.clocks))
    return scenes


async def _outages(rig: Rig, postgres: PostgresCluster, for_s: float, *, clocks: bool) -> None:
    for outage in (postgres_read_only, postgres_full, postgres_gone):
        await asyncio.sleep(_BETWEEN_OUTAGES_S)
        with rig.interrupting():
            await outage(postgres, for_s)
    await asyncio.sleep(_BETWEEN_OUTAGES_S)
    await kafka_full(rig.broker, for_s)
    if clocks:
        await rig.until_ready()
        await step_clocks(rig, for_s)


async def _subscribe(rig: Rig, subscriber: Receiver) -> None:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, timeout=30) as client:
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
    late = {r.data["window_id"] for r in records if r.data.get("promise") == HAND_OFF}
    deliveries = Counter(webhook.webhook_id for webhook in ledger.webhooks)
    return {
        "inquiries": len(ledger.inquiries),
        "activities": len(ledger.activities),
        "moves_by_hand": len(ledger.moves),
        "events": dict(kinds),
        "because": dict(Counter(record.data["because"] for record in records if record.data.get("because"))),
        "ids_ended": len({record.lead_id for record in records if record.type == MERGED and record.data.get("into")}),
        "late_hand_offs": len(late),
        "records_twice": len(evidence.records) - len(records),
        "webhooks": len(deliveries),
        "webhooks_twice": deliveries.total() - len(deliveries),
        "notices": dict(Counter(f"{row.kind} {row.state}" for row in evidence.notices)),
        "messages": len({receipt.message_id for receipt in ledger.receipts}),
        "messages_twice": len(ledger.receipts) - len({receipt.message_id for receipt in ledger.receipts}),
        "answers_lost": sum(not receipt.answered for receipt in ledger.receipts),
        "detection_s": {
            "p50": round(statistics.median(delays), 2),
            "p99": round(delays[int(len(delays) * 0.99)], 2),
            "max": round(delays[-1], 2),
        }
        if delays
        else {},
    }
