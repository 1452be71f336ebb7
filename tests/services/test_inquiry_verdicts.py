"""The promise that an inquiry has its verdict within `hand_off_within`, on a real log and either database."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from services.sla_monitor.store.tables import arrivals, tables, watched_since, windows
from services.sla_monitor.store.verdicts import Verdicts
from services.sla_monitor.workers.inquiries import Inquiries
from shared import agreement_file
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Envelope
from shared.db import position
from shared.db.engine import Database
from shared.domain.agreement import Agreement
from shared.domain.events import (
    ASSIGNMENTS,
    BreachRetracted,
    EscalationClosed,
    EscalationRaised,
    Event,
    InquiryReceived,
    LeadRejected,
    WindowBreached,
    WindowMet,
    WindowOpened,
    WindowWarned,
)
from shared.runtime.wakeup import WakeUp
from tests.kit import events
from tests.kit.agreements import agreement_text
from tests.kit.waiting import until
from tests.services.sla_monitor_kit import Stage, StoppedClock, assigned, merged, parked, stage_on

LADDER = """\
  operations:
    hand_off: {ladder: pipeline}

ladders:
  pipeline:
    - {at: -1 minute, tell: [ops]}
    - {at: 0 seconds, tell: [ops], page: true}
"""


def promising(within: str = "2 minutes", *, ladder: bool = True) -> Agreement:
    text = agreement_text().replace("    score:", f"    hand_off_within: {within}\n    score:")
    text = text.replace("\nladders:\n", LADDER, 1) if ladder else text
    return agreement_file.parse(text, "test.yaml").agreement


DEAL = promising()


@pytest.fixture
async def stage(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus, DEAL) as stage:
        yield stage


def ruled_out(lead: str, at: datetime) -> LeadRejected:
    return events.rejected(lead, decided_at=at, agreement=DEAL.ref, inquiry_id=f"{lead}_1")


async def begun(stage: Stage) -> None:
    """The monitor remembers verdicts from now on."""

    async def remembers() -> bool:
        return await count_of(stage, watched_since) == 1

    await until(remembers)


async def count_of(stage: Stage, table: sa.Table) -> int:
    async with stage.database.read() as tx:
        return (await tx.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()


async def asked(stage: Stage, at: datetime, lead: str = "ld_1", **more: Any) -> InquiryReceived:
    """An inquiry, which the monitor has read."""
    known = await count_of(stage, arrivals)
    event = events.inquiry(lead, accepted_at=at, **more)
    await stage.publish(event)

    async def read() -> bool:
        return await count_of(stage, arrivals) > known

    await until(read)
    return event


async def test_an_inquiry_without_a_verdict_is_breached_and_escalated_until_the_router_comes_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoppedClock(stage, monkeypatch)
    async with stage.monitor():
        await begun(stage)
        await clock.pass_by(seconds=1)
        inquiry = await asked(stage, clock.now)
    # What it waits for is stored: another monitor goes on.
    async with stage.monitor() as client:
        await clock.pass_by(seconds=90)
        [opened] = await stage.wait_for(WindowOpened)
        assert (opened.promise, opened.side, opened.owner, opened.at) == (
            "hand_off", "operations", "ops", inquiry.accepted_at,
        )  # fmt: skip
        [warned] = await stage.wait_for(WindowWarned)
        assert warned.due_at == inquiry.accepted_at + timedelta(minutes=2)
        await clock.pass_by(seconds=60)
        [breached] = await stage.wait_for(WindowBreached)
        assert (breached.fault, breached.at) == ("pipeline", warned.due_at)
        [raised] = await stage.wait_for(EscalationRaised)
        assert (raised.page, [each.role for each in raised.to], raised.fault) == (True, ["ops"], "pipeline")
        [item] = (await client.get("/v1/windows", params={"side": "operations"})).json()["items"]
        assert (item["promise"], item["state"], item["lead_id"]) == ("hand_off", "breached", "ld_1")
        await stage.publish(assigned(deal=DEAL, assigned_at=clock.now, inquiry_id=inquiry.inquiry_id))
        [closed] = await stage.wait_for(EscalationClosed)
        assert closed.reason == "decided late"
        assert await count_of(stage, arrivals) == 0
        await stage.silent(BreachRetracted, 0.3)


async def test_a_verdict_in_time_that_is_read_after_the_breach_takes_it_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoppedClock(stage, monkeypatch)
    async with stage.monitor():
        await begun(stage)
        await clock.pass_by(seconds=1)
        inquiry = await asked(stage, clock.now)
        await clock.pass_by(minutes=5)
        await stage.wait_for(EscalationRaised)
        at = inquiry.accepted_at + timedelta(minutes=2, seconds=0.1)
        await stage.publish(parked(deal=DEAL, decided_at=at, inquiry_id=inquiry.inquiry_id))
        [retracted] = await stage.wait_for(BreachRetracted)
        assert (retracted.promise, retracted.at, retracted.reason) == ("hand_off", at, None)
        [closed] = await stage.wait_for(EscalationClosed)
        assert closed.reason == "breach retracted"


async def test_a_verdict_after_a_warning_keeps_the_promise(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StoppedClock(stage, monkeypatch)
    async with stage.monitor():
        await begun(stage)
        await clock.pass_by(seconds=1)
        await asked(stage, clock.now)
        await clock.pass_by(seconds=90)
        await stage.wait_for(WindowWarned)
        await stage.publish(ruled_out("ld_1", clock.now))
        [met] = await stage.wait_for(WindowMet)
        assert (met.promise, met.at) == ("hand_off", clock.now)


async def test_whatever_verdict_comes_in_time_and_in_whatever_order_nothing_is_left(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoppedClock(stage, monkeypatch)
    async with stage.monitor():
        await begun(stage)
        await clock.pass_by(seconds=1)
        at, ids = clock.now, [f"ld_{n}_1" for n in range(1, 5)]
        verdicts: list[Event] = [
            assigned("ld_1", DEAL, assigned_at=at, inquiry_id=ids[0]),
            parked("ld_2", DEAL, decided_at=at, inquiry_id=ids[1]),
            ruled_out("ld_3", at),
            # It came under another id of the person.
            merged("ld_9", DEAL, into=None, decided_at=at, inquiry_id=ids[3]),
        ]
        inquiries = [events.inquiry(f"ld_{n}", accepted_at=at) for n in range(1, 5)]
        await stage.publish(*verdicts[:2], *inquiries, *verdicts[2:])
        # One that is late shows that all before it are read.
        last = await asked(stage, at, "ld_5")
        await clock.pass_by(minutes=10)
        opened = await stage.wait_for(WindowBreached)
        assert [(event.lead_id, event.promise) for event in opened] == [(last.lead_id, "hand_off")]

        async def nothing_left() -> bool:
            return await count_of(stage, arrivals) == 0

        await clock.pass_by(minutes=1)
        await until(nothing_left)
        assert len(stage._of(WindowBreached)) == 1


async def test_what_was_late_when_it_is_read_is_a_breach_without_an_alarm(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoppedClock(stage, monkeypatch)
    async with stage.monitor():
        await begun(stage)
        came_at = clock.now + timedelta(seconds=1)
        await clock.pass_by(minutes=10)
        late = ruled_out("ld_1", came_at + timedelta(minutes=3))
        await stage.publish(events.inquiry(accepted_at=came_at), late)
        [breached] = await stage.wait_for(WindowBreached)
        assert (breached.lead_id, breached.due_at) == ("ld_1", came_at + timedelta(minutes=2))
        await clock.pass_by(minutes=10)
        await stage.silent(EscalationRaised, 0.5)
        assert stage._of(WindowWarned) == []


async def test_nothing_is_owed_on_tests_and_on_what_came_before_it_was_promised(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoppedClock(stage, monkeypatch)
    async with stage.monitor():
        await begun(stage)
        await stage.publish(events.inquiry("ld_2", accepted_at=clock.now - timedelta(hours=1)))
        await clock.pass_by(seconds=1)
        await stage.publish(events.inquiry("ld_3", accepted_at=clock.now, test=True))
        inquiry = await asked(stage, clock.now)
        await clock.pass_by(minutes=10)
        [breached] = await stage.wait_for(WindowBreached)
        assert breached.lead_id == inquiry.lead_id
        assert await count_of(stage, arrivals) == 0


async def test_without_the_promise_nothing_is_stored(database: Database, embedded_bus: EmbeddedBus) -> None:
    async with stage_on(database, embedded_bus) as stage, stage.monitor():
        await stage.publish(events.inquiry("ld_1"), assigned("ld_2", inquiry_id="ld_2_1"))
        await stage.settled()
        assert await count_of(stage, arrivals) == await count_of(stage, watched_since) == 0


async def test_without_a_ladder_a_breach_notifies_nobody(
    database: Database, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage_on(database, embedded_bus, promising(ladder=False)) as stage:
        clock = StoppedClock(stage, monkeypatch)
        async with stage.monitor():
            await begun(stage)
            await clock.pass_by(seconds=1)
            await asked(stage, clock.now)
            await clock.pass_by(minutes=10)
            await stage.wait_for(WindowBreached)
            await stage.silent(EscalationRaised, 0.5)


async def test_a_breach_waits_until_what_was_in_the_log_after_the_deadline_is_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, bus, clock = stage.database, stage.bus, StoppedClock(stage, monkeypatch)
    tolerance = timedelta(seconds=2)
    verdicts = Verdicts(database, tolerance, lambda _: 0)
    worker = Inquiries(database=database, bus=bus, verdicts=verdicts, tolerance=tolerance, announced=WakeUp())
    await worker.look()
    clock.now += timedelta(minutes=1)
    envelope = Envelope("ev_1", "baton/ingest", clock.now, events.inquiry(accepted_at=clock.now))
    async with database.begin() as tx:
        await verdicts.pair(tx, [events.received(envelope)])
    places = [(ASSIGNMENTS, number) for number in range(bus.partitions(ASSIGNMENTS))]
    async with database.begin() as tx:
        await position.positions(tx, tables, places)
    # Something is in the log that may be its verdict.
    await stage.publish(assigned("ld_7", DEAL))
    clock.now += timedelta(minutes=10)
    for _ in range(3):
        await worker.look()
    assert await count_of(stage, windows) == 0
    spans = await bus.spans(places)
    async with database.begin() as tx:
        await position.advance(tx, tables, {place: (0, spans[place].end) for place in places if spans[place].end})
    await worker.look()
    assert await count_of(stage, windows) == 1
