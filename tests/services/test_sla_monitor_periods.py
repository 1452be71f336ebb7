"""Promises of marketing over a month that passes in virtual time, on a real log and either database."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from services.sla_monitor.store import windows as window_store
from services.sla_monitor.workers.periods import Periods
from shared import agreement_file
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database, Tx
from shared.domain.events import (
    BreachRetracted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationRaised,
    Event,
    PeriodProgressed,
    Recipient,
    WindowBreached,
    WindowCancelled,
    WindowEvent,
    WindowMet,
    WindowOpened,
    WindowWarned,
)
from shared.domain.lead import Company, Contact
from shared.runtime.wakeup import WakeUp
from tests.kit.agreements import agreement_text
from tests.kit.waiting import until, until_right
from tests.services.sla_monitor_kit import Stage, activity, assigned, merged, parted, rewritten, stage_on

PROMISES = """\
  marketing:
    volume: {mql_accepted: 3, per: month, ladder: commitments}
    accepted_share: {at_least: 60%, per: month, ladder: commitments}
    completeness: {fields: [contact.phone], at_least: 50%, per: month, ladder: commitments}
    hand_off_latency: {p95: 2 minutes, per: month, ladder: commitments}

duty:
  marketing_lead: {always: cleo}
  sales_lead: {always: mia}

ladders:
  commitments:
    - {at: -7 days, tell: [marketing_lead]}
    - {at: 0 minutes, tell: [marketing_lead, sales_lead]}
    - {at: 1 day, tell: [ops]}
"""
TEXT = agreement_text(within="1 hour").replace("\nladders:\n", PROMISES, 1)
DEAL = agreement_file.parse(TEXT, "marketing.yaml").agreement
VOLUME = "period:volume:2026-11"


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+01:00")


class Month:
    """A stage whose database shows another time; facts are published as of then."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.now = at("2026-11-01T00:00:10")
        self.looks = 0

    async def pass_until(self, text: str) -> None:
        """Time passes, and ingest says that there is nothing on its way from before."""
        self.now = at(text)
        await self.stage.mark(self.now)

    async def hand_over(self, lead: str, text: str, *, seconds: float = 30, **more: Any) -> None:
        when = at(text)
        received_at = when - timedelta(seconds=seconds)
        await self.stage.publish(assigned(lead, DEAL, assigned_at=when, received_at=received_at, **more))

    async def of_marketing(self, kind: type[Event], count: int = 1) -> list[Any]:
        """Wait for so many events of a kind about marketing."""
        wanted = count
        while True:
            events = await self.stage.wait_for(kind, wanted)
            ours = [each for each in events if each.lead_id.startswith("period:")]
            if len(ours) >= count:
                return ours
            wanted = len(events) + 1

    async def counts(self, client: httpx.AsyncClient, **wanted: tuple[int, int]) -> None:
        """Let minutes pass until so many leads count for these promises, of so many."""

        async def there() -> str | None:
            self.looks += 1
            if self.looks % 50 == 0:  # progress is looked at once a minute
                self.now += timedelta(minutes=2)
            windows = await listed(client, side="marketing")
            progress = {name: windows[name]["progress"] or {} for name in wanted}
            found = {name: (each.get("counted"), each.get("of")) for name, each in progress.items()}
            return None if found == wanted else f"{found} instead of {wanted}"

        await until_right(there)


@pytest.fixture
async def month(database: Database, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Month]:
    async with stage_on(database, embedded_bus, DEAL) as stage:
        month = Month(stage)

        async def now(tx: Tx) -> datetime:
            return month.now

        monkeypatch.setattr(database, "now", now)
        async with database.begin() as tx:
            await agreements.activate(tx, DEAL.hash, month.now)
        yield month


async def listed(client: httpx.AsyncClient, **filters: str) -> dict[str, dict[str, Any]]:
    items = (await client.get("/v1/windows", params=filters)).json()["items"]
    return {item["promise"]: item for item in items}


async def test_a_month_is_warned_of_breached_acknowledged_and_retracted(month: Month) -> None:
    async with month.stage.monitor() as client:
        opened = await month.of_marketing(WindowOpened, 4)
        assert {(each.side, each.owner, each.generation, each.due_at) for each in opened} == {
            ("marketing", "cleo", 0, at("2026-12-01T00:00"))
        }
        complete = Contact(email="jo@example.com", phone="+3225550100")
        await month.hand_over("ld_1", "2026-11-03T09:00", contact=complete)
        await month.hand_over("ld_2", "2026-11-04T09:00", contact=Contact(email="eva@example.com"), company=Company())
        await month.hand_over("ld_3", "2026-11-05T09:00", contact=complete)
        await month.pass_until("2026-11-23T12:00")
        await month.stage.publish(activity("ld_1", "accepted", at("2026-11-06T10:00")))
        await month.stage.publish(activity("ld_2", "rejected", at("2026-11-06T11:00"), reason="no_budget"))
        await month.counts(client, volume=(1, 3), accepted_share=(1, 2), completeness=(2, 3), hand_off_latency=(3, 3))
        progressed = await month.of_marketing(PeriodProgressed, 4)
        assert {each.promise for each in progressed} >= {"volume", "completeness", "hand_off_latency"}

        await month.pass_until("2026-11-24T00:01")
        warned = {each.promise: each for each in await month.of_marketing(WindowWarned, 2)}
        assert set(warned) == {"volume", "accepted_share"}
        volume = warned["volume"]
        assert (volume.lead_id, volume.to, volume.level) == (VOLUME, (Recipient("marketing_lead", "cleo"),), 1)
        assert (volume.progress.counted, volume.progress.of, volume.progress.target) == (1, 3, 3.0)
        assert 1 < volume.progress.pace < 3

        await month.stage.publish(activity("ld_3", "accepted", at("2026-11-23T15:00")))
        await month.pass_until("2026-12-01T00:01")
        [breached] = await month.of_marketing(WindowBreached)
        assert (breached.promise, breached.progress.counted, breached.at) == ("volume", 2, at("2026-12-01T00:00"))
        met = await month.of_marketing(WindowMet, 3)
        assert {each.promise: (each.progress.counted, each.progress.of) for each in met} == {
            "accepted_share": (2, 3),
            "completeness": (2, 3),
            "hand_off_latency": (3, 3),
        }
        [raised] = await month.of_marketing(EscalationRaised)
        assert [each.person for each in raised.to] == ["cleo", "mia"]

        taken = await client.post(f"/v1/escalations/{raised.escalation_id}/acknowledge", json={"by": "mia"})
        assert taken.status_code == 200, taken.text
        assert taken.json()["period"]["per"] == "month"
        [acknowledged] = await month.of_marketing(EscalationAcknowledged)
        assert acknowledged.by == "mia"

        await month.hand_over("ld_4", "2026-11-30T09:00", contact=complete)
        await month.stage.publish(activity("ld_4", "accepted", at("2026-11-30T23:59")))
        [retracted] = await month.of_marketing(BreachRetracted)
        assert (retracted.breach_id, retracted.reason, retracted.progress.counted) == (breached.breach_id, None, 3)
        [closed] = await month.of_marketing(EscalationClosed)
        assert closed.reason == "breach retracted"
        states = {promise: item["state"] for promise, item in (await listed(client, lead_id=VOLUME)).items()}
        assert states == {"volume": "met"}
        running = await listed(client, side="marketing", state="open")
        assert running["volume"]["lead_id"] == "period:volume:2026-12"
        assert {each["side"] for each in (await listed(client, side="sales")).values()} == {"sales"}


async def test_a_lagging_watermark_delays_the_verdict_and_nothing_to_count_is_no_breach(month: Month) -> None:
    async with month.stage.monitor():
        await month.of_marketing(WindowOpened, 4)
        await month.hand_over("ld_1", "2026-11-03T09:00", seconds=300, because="drained", contact=Contact())
        await month.pass_until("2026-11-30T23:59")
        month.now = at("2026-12-01T08:00")
        await month.of_marketing(WindowOpened, 8)
        assert not [
            each for each in month.stage.events if isinstance(each, WindowBreached) and each.side == "marketing"
        ]
        await month.pass_until("2026-12-01T08:01")
        breached = await month.of_marketing(WindowBreached, 2)
        assert {each.promise for each in breached} == {"volume", "completeness"}
        cancelled: list[WindowEvent] = await month.of_marketing(WindowCancelled, 2)
        assert {each.promise for each in cancelled} == {"accepted_share", "hand_off_latency"}
        assert {each.reason for each in cancelled if isinstance(each, WindowCancelled)} == {
            "no data: nothing to count in this period"
        }


async def test_a_period_under_an_agreement_that_cannot_be_read_waits_until_it_can(month: Month) -> None:
    database = month.stage.database
    async with month.stage.monitor() as client:
        await month.of_marketing(WindowOpened, 4)
        async with database.begin() as tx:
            [window] = await window_store.windows_of(tx, [VOLUME])
        assert len(window.ladder_us) == 4, "what zones say about a day later moves no level"
        async with rewritten(database, DEAL, "an: agreement of another time"):
            await month.pass_until("2026-12-01T00:01")
            await until(lambda: _noted(client))
        await month.pass_until("2026-12-01T00:12")
        assert "volume" in {each.promise for each in await month.of_marketing(WindowBreached)}


async def _noted(client: httpx.AsyncClient) -> bool:
    return "sla_monitor.periods" in (await client.get("/readyz", headers={"Host": "127.0.0.1"})).json()["notes"]


@pytest.mark.parametrize(
    ("text", "promised"), [("an: agreement of another time", True), (TEXT.replace(PROMISES, "\nladders:\n"), False)]
)
async def test_what_a_version_that_cannot_be_read_promises_is_not_known(
    month: Month, text: str, *, promised: bool
) -> None:
    stage = month.stage
    periods = Periods(database=stage.database, bus=stage.bus, tolerance=timedelta(0), announced=WakeUp())
    async with rewritten(stage.database, DEAL, text):
        await periods.look()
        assert periods.promised() is promised


async def test_two_ids_of_one_person_count_once_until_they_are_split(month: Month) -> None:
    async with month.stage.monitor() as client:
        await month.of_marketing(WindowOpened, 4)
        month.now = at("2026-11-04T00:00")  # before the log has what is later than that
        for lead in ("ld_1", "ld_2"):
            await month.hand_over(lead, "2026-11-03T09:00")
            await month.stage.publish(activity(lead, "accepted", at("2026-11-03T10:00")))
        await month.counts(client, volume=(2, 2))
        since = at("2026-11-03T11:00")
        await month.stage.publish(
            merged("ld_2", DEAL, into="ld_1", was="assigned", decided_at=since, one_person_since=since)
        )
        await month.counts(client, volume=(1, 1))
        await month.stage.publish(*parted("ld_2", "ld_1"))
        await month.counts(client, volume=(2, 2))
