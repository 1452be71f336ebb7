"""Waits until Baton has come to rest, then reads what it left: the database, the topics and one route."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx

from services.scoreboard.workers.auditor import Auditor
from shared.clock import SystemClock
from shared.db.engine import Database
from tests.torture.ledger import Evidence, Finding, Holding, NoticeRow, PeriodRow, Record, Rotation, Standing, Verdict
from tests.torture.records import all_records, ends
from tests.torture.rig import KEY, Rig

ACTIVITIES = "baton.activities.v1"
_CONSUMERS = ("router", "sla_monitor", "delivery", "scoreboard")
_LOOK_AGAIN_S = 0.5
_QUIET_LOOKS = 2
_AFTER_MIDNIGHT = timedelta(minutes=2)
"""Far more than the monitor waits for assignments that are on their way."""
NOTICES = (
    "SELECT notice_id, message_id, event_id, window_id, escalation_id, kind, role, person, state FROM delivery_notices"
)
"""Reads rows of delivery as `NoticeRow`s."""

_COUNTS = {
    "events in an outbox": " + ".join(
        f"(SELECT count(*) FROM {name}_outbox WHERE published_at IS NULL)"  # noqa: S608
        for name in _CONSUMERS
    ),
    # Those about periods, which are in no partition, end at midnight.
    "promises without a verdict": "(SELECT count(*) FROM sla_monitor_windows WHERE state = 'open' AND partition <> -1)",
    "ladders not climbed": (
        "(SELECT count(*) FROM sla_monitor_windows WHERE look_at < now() + interval '1 minute' AND partition <> -1)"
    ),
    "inquiries without a verdict": "(SELECT count(*) FROM sla_monitor_arrivals WHERE accepted_at IS NOT NULL)",
    "deliveries under way": "(SELECT count(*) FROM delivery_deliveries WHERE due_at IS NOT NULL)",
    "messages to people": "(SELECT count(*) FROM delivery_messages WHERE next_at IS NOT NULL)",
}


async def until_at_rest(rig: Rig, pending: Callable[[], int], *, within_s: float) -> dict[str, int]:
    """Return when nothing is on its way any more: what is left, if time is up before. `pending` counts what people
    still plan to do."""
    loop = asyncio.get_running_loop()
    end, quiet = loop.time() + within_s, 0
    connection = await asyncpg.connect(_dsn(rig))
    try:
        activities_upto: dict[Any, int] | None = None
        while True:
            left = {"follow-ups": pending(), "facts in the spool": await asyncio.to_thread(rig.facts_in_spools)}
            upto = await ends(rig.broker.bootstrap)
            if any(left.values()):
                activities_upto = None
            elif activities_upto is None:
                # Markers go on forever; nothing but markers comes after this.
                activities_upto = {place: at for place, at in upto.items() if place.topic == ACTIVITIES}
            for name, count in _COUNTS.items():
                left[name] = await connection.fetchval(f"SELECT {count}")
            left["records not handled"] = await _lag(connection, {**upto, **(activities_upto or {})})
            quiet = quiet + 1 if not any(left.values()) else 0
            if quiet == _QUIET_LOOKS or loop.time() > end:
                return left
            await asyncio.sleep(_LOOK_AGAIN_S)
    finally:
        await connection.close()


async def until_read(rig: Rig, *, within_s: float) -> None:
    """Return when the services have handled every record that is on the topics now. Raises TimeoutError."""
    upto = await ends(rig.broker.bootstrap)
    connection = await asyncpg.connect(_dsn(rig))
    try:
        async with asyncio.timeout(within_s):
            while await _lag(connection, upto):
                await asyncio.sleep(_LOOK_AGAIN_S)
    finally:
        await connection.close()


async def gather(rig: Rig, left: Mapping[str, int], lost: Sequence[Record]) -> Evidence:
    """Read everything; `lost` are records that are no longer on the topics."""
    connection = await asyncpg.connect(_dsn(rig))
    try:
        verdicts = await connection.fetch("SELECT lead_id, lead_version, verdict, inquiry_id FROM router_verdicts")
        holdings = await connection.fetch(
            "SELECT assignment_id, lead_id, generation, rep, pool, active FROM router_assignments"
        )
        pools = await connection.fetch("SELECT pool, turns FROM router_pools")
        windows = [json.loads(row[0]) for row in await connection.fetch("SELECT body FROM sla_monitor_windows")]
        leads = [json.loads(row[0]) for row in await connection.fetch("SELECT body FROM router_leads")]
        shown = await connection.fetch("SELECT lead_id, state, owner, ended_as, merged_into FROM scoreboard_leads")
        notices = await connection.fetch(NOTICES)
    finally:
        await connection.close()
    turns = {row["pool"]: json.loads(row["turns"]) for row in pools}
    return Evidence(
        records=[*lost, *await all_records(rig.broker.bootstrap)],
        verdicts=[Verdict(*row) for row in verdicts],
        holdings=[Holding(*row) for row in holdings],
        rotations={pool: Rotation(each["number"], each["taken"]) for pool, each in turns.items()},
        windows={(each["lead_id"], each["generation"]): each.get("state", "open") for each in windows},
        decided={
            each["lead_id"]: Standing(each["state"], each.get("rep"), each.get("outcome"), each.get("into"))
            for each in leads
        },
        shown={lead_id: Standing(*row) for lead_id, *row in shown},
        conservation=await _conservation(rig),
        unfinished=left,
        notices=[NoticeRow(*row) for row in notices],
        interrupted=rig.interrupted,
    )


async def periods_over(rig: Rig, *, within_s: float) -> list[PeriodRow]:
    """What becomes of the promises about periods as these end: for all services it is the next day from now on, also by
    the database's clock.
    """
    connection = await asyncpg.connect(_dsn(rig))
    try:
        ends_at = await connection.fetchval("SELECT max(due_at) FROM sla_monitor_windows WHERE partition = -1")
        if ends_at is None:
            return []
        for process in rig.processes.values():
            process.step_clock((ends_at + _AFTER_MIDNIGHT - datetime.now(UTC)).total_seconds(), database=True)
        query = "SELECT body FROM sla_monitor_windows WHERE partition = -1 AND due_at <= $1"
        running = f"SELECT count(*) FROM ({query} AND state = 'open') AS each"  # noqa: S608
        end = asyncio.get_running_loop().time() + within_s
        while await connection.fetchval(running, ends_at) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(_LOOK_AGAIN_S)
        return [_period(json.loads(row[0])) for row in await connection.fetch(query, ends_at)]
    finally:
        await connection.close()


def _period(window: Mapping[str, Any]) -> PeriodRow:
    starts_at, counts_from_at = (datetime.fromisoformat(window[name]) for name in ("opened_at", "counts_from_at"))
    progress = window.get("progress") or {"counted": 0, "of": 0}
    return PeriodRow(
        window["promise"],
        starts_at,
        datetime.fromisoformat(window["due_at"]),
        window.get("state", "open"),
        progress["counted"],
        progress["of"],
        counted_late=counts_from_at > starts_at,
    )


async def audit(rig: Rig) -> list[Finding]:
    """What Baton's own auditor, which shares nothing with this test, finds wrong with promises."""
    database = Database(rig.database_url, SystemClock(), pool_size=2)
    try:
        report = await Auditor(database).audit(datetime.now(UTC) - timedelta(days=1), None)
    finally:
        await database.close()
    return [
        Finding("audit", f"{each.promise} on {each.lead_id}: expected {each.expected}, found {each.found} ({each.why})")
        for each in report.differences
    ]


async def _conservation(rig: Rig) -> dict[str, Any]:
    url = f"http://127.0.0.1:{rig.ports('scoreboard')[0]}/v1/conservation"
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.get(url, headers={"Authorization": f"Bearer {KEY}"})
    found: dict[str, Any] = answer.json()
    return found


async def _lag(connection: "asyncpg.Connection[Any]", upto: Mapping[Any, int]) -> int:
    """How many records the services have yet to handle, on the partitions that each has ever read."""
    behind = 0
    for name in _CONSUMERS:
        for row in await connection.fetch(f"SELECT topic, partition, next_offset FROM {name}_positions"):  # noqa: S608
            behind += max(upto[row["topic"], row["partition"]] - row["next_offset"], 0)
    return behind


def _dsn(rig: Rig) -> str:
    return rig.database_url.replace("postgresql+asyncpg://", "postgresql://")
