"""The monitor on a real log and either database: a promise ends once, however facts, watermarks and restarts come."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from msgspec.structs import replace

from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Envelope, encode
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.domain.events import (
    ACTIVITIES,
    BreachRetracted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationRaised,
    MoveRequested,
    WindowBreached,
    WindowCancelled,
    WindowMet,
    WindowOpened,
    WindowWarned,
)
from shared.ports import Message
from tests.kit.agreements import agreement
from tests.kit.waiting import until
from tests.services.sla_monitor_kit import QUICK, Stage, StoppedClock, activity, assigned, merged, now, stage_on, store


@pytest.fixture
async def stage(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus) as stage:
        yield stage


async def test_a_call_in_time_meets_the_window(stage: Stage) -> None:
    async with stage.monitor() as client:
        call = activity(at=now())
        await stage.publish(assigned(), call)
        [met] = await stage.wait_for(WindowMet)
        assert (met.met_by, met.at, met.owner) == (call.activity_id, call.accepted_at, "ann")
        stage.mark_from_now_on()
        await stage.silent(WindowBreached, 1.6)
        [window] = (await client.get("/v1/windows", params={"lead_id": "ld_1"})).json()["items"]
        assert (window["state"], window["met_by"], window["fault"]) == ("met", call.activity_id, None)


async def test_a_call_that_came_before_its_assignment_counts(stage: Stage) -> None:
    async with stage.monitor():
        await stage.publish(activity(at=now()))
        await stage.settled()
        await stage.publish(assigned(assigned_at=now()))
        assert "ld_1" in {met.lead_id for met in await stage.wait_for(WindowMet, 13)}


async def test_a_breach_waits_for_the_watermark_and_then_comes_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoppedClock(stage, monkeypatch)
    async with stage.monitor() as client:
        await stage.publish(*[assigned(assigned_at=clock.now)] * 2)
        [opened] = await stage.wait_for(WindowOpened)
        clock.now += timedelta(seconds=3)
        await stage.silent(WindowBreached, 1.2)
        assert len((await client.get("/v1/windows", params={"state": "open"})).json()["items"]) == 1
        await stage.mark(opened.due_at + timedelta(seconds=0.1))
        await stage.silent(WindowBreached, 0.6)
        await stage.mark(opened.due_at + timedelta(seconds=0.3))
        [breached] = await stage.wait_for(WindowBreached)
        assert (breached.at, breached.fault, breached.detected_at) == (opened.due_at, "rep", clock.now)
        [raised] = await stage.wait_for(EscalationRaised)
        assert (raised.level, raised.notify, raised.due_at) == (2, ("rep", "manager"), opened.due_at)
        [window] = (await client.get("/v1/windows", params={"state": "breached"})).json()["items"]
        assert (window["fault"], window["ended_at"]) == ("rep", breached.at.isoformat().replace("+00:00", "Z"))


async def test_a_slow_instance_holds_the_verdict_until_it_is_declared_lost(stage: Stage) -> None:
    async with stage.monitor() as client:
        stage.mark_from_now_on()
        await stage.mark(instance="ingest-2")
        await stage.publish(assigned())
        [opened] = await stage.wait_for(WindowOpened)
        await stage.silent(WindowBreached, 1.8)
        assert (await client.post("/v1/instances/ingest-9/declare-lost")).status_code == 404
        answer = await client.post("/v1/instances/ingest-2/declare-lost")
        assert answer.json() == {"instance": "ingest-2", "state": "lost", "partitions": 12}
        [breached] = await stage.wait_for(WindowBreached)
        # The lost disk comes back, with a call on it that was in time.
        await stage.publish(activity(at=opened.due_at))
        [retracted] = await stage.wait_for(BreachRetracted)
        assert retracted.breach_id == breached.breach_id
        [closed] = await stage.wait_for(EscalationClosed)
        assert closed.reason == "breach retracted"


async def test_an_instance_that_signed_off_is_not_waited_for(stage: Stage) -> None:
    async with stage.monitor():
        stage.mark_from_now_on()
        await stage.mark(instance="ingest-2")
        await stage.mark(instance="ingest-2", state="left")
        await stage.publish(assigned())
        await stage.wait_for(WindowBreached)


async def test_a_late_answer_closes_the_escalation(stage: Stage) -> None:
    async with stage.monitor() as client:
        stage.mark_from_now_on()
        await stage.publish(assigned())
        [raised] = await stage.wait_for(EscalationRaised)
        await stage.publish(activity(kind="email"))
        [closed] = await stage.wait_for(EscalationClosed)
        assert (closed.escalation_id, closed.reason) == (raised.escalation_id, "answered late")
        answer = await client.post(f"/v1/escalations/{raised.escalation_id}/acknowledge", json={"by": "mia"})
        assert answer.status_code == 409
        assert "answered late" in answer.json()["detail"]


async def test_the_ladder_warns_notifies_moves_and_pages(stage: Stage) -> None:
    async with stage.monitor():
        stage.mark_from_now_on()
        await stage.publish(assigned(deal=QUICK))
        [move] = await stage.wait_for(MoveRequested)
        assert [type(event) for event in stage.events[: stage.events.index(move) + 1]] == [
            WindowOpened,
            WindowWarned,
            WindowBreached,
            EscalationRaised,
            EscalationRaised,
            MoveRequested,
        ]
        assert (move.generation, move.within) == (1, "pool")
        await stage.publish(assigned(deal=QUICK, rep="bob", generation=2))
        opened = await stage.wait_for(WindowOpened, 2)
        assert (opened[1].owner, opened[1].generation) == ("bob", 2)
        await stage.publish(activity())
        [closed] = await stage.wait_for(EscalationClosed)
        assert (closed.reason, closed.owner) == ("answered late", "ann")


async def test_a_lead_that_moves_in_time_has_a_new_window_and_the_old_one_is_cancelled(stage: Stage) -> None:
    async with stage.monitor():
        await stage.publish(assigned(), assigned(rep="bob", generation=2), assigned(rep="cleo", lead_version=9))
        [cancelled] = await stage.wait_for(WindowCancelled)
        assert (cancelled.owner, cancelled.reason) == ("ann", "reassigned")
        opened = await stage.wait_for(WindowOpened, 2)
        assert [event.owner for event in opened] == ["ann", "bob"]
        await stage.publish(activity(kind="rejected", at=opened[1].due_at))
        cancelled = (await stage.wait_for(WindowCancelled, 2))[1]
        assert (cancelled.owner, cancelled.reason) == ("bob", "rejected")


async def test_a_move_by_the_deadline_that_is_read_after_the_breach_takes_it_back(stage: Stage) -> None:
    async with stage.monitor():
        moved_at = now() - timedelta(minutes=1)
        stage.mark_from_now_on()
        await stage.publish(assigned(deal=QUICK, assigned_at=moved_at - timedelta(seconds=1)))
        [breached] = await stage.wait_for(WindowBreached)
        await stage.publish(assigned(deal=QUICK, rep="bob", generation=2, assigned_at=moved_at))
        [back] = await stage.wait_for(BreachRetracted)
        assert (back.breach_id, back.at, back.reason) == (breached.breach_id, moved_at, "reassigned")


@pytest.mark.parametrize("first", ["moved", "rejected"])
async def test_a_lead_that_its_owner_rejected_just_before_it_moved_leaves_no_promise(stage: Stage, first: str) -> None:
    async with stage.monitor():
        start = now()
        moved = assigned(rep="bob", generation=2, assigned_at=start, received_at=start - timedelta(seconds=5))
        rejection = activity(kind="rejected", at=start - timedelta(milliseconds=50))
        stage.mark_from_now_on()
        for event in (moved, rejection) if first == "moved" else (rejection, moved):
            await stage.publish(event)
            await stage.settled()
        [cancelled] = [each for each in await stage.wait_for(WindowCancelled) if each.lead_id == "ld_1"]
        assert (cancelled.owner, cancelled.reason) == ("bob", "rejected")
        await stage.silent(WindowBreached, 1.6)


async def test_what_fell_due_during_an_outage_is_settled_after_it(stage: Stage) -> None:
    async with stage.monitor():
        await stage.mark()
        await stage.publish(*(assigned(f"ld_{n}", QUICK) for n in range(40)))
        await stage.wait_for(WindowOpened, 40)
    await asyncio.sleep(2.5)
    await stage.publish(
        *(activity(f"ld_{n}") for n in range(5)), assigned("late", assigned_at=now() - timedelta(hours=2))
    )
    stage.mark_from_now_on()
    async with stage.monitor():
        breached = await stage.wait_for(WindowBreached, 41)
        assert {event.fault for event in breached if event.lead_id != "late"} == {"rep"}
        assert [event.fault for event in breached if event.lead_id == "late"] == ["pipeline"]
        assert len(await stage.wait_for(WindowWarned, 40)) == 40
        raised = await stage.wait_for(EscalationRaised, 36)
        assert not {event.lead_id for event in raised} & {f"ld_{n}" for n in range(5)}


async def test_an_acknowledged_escalation_is_quiet_and_shows_who_has_it(stage: Stage) -> None:
    async with stage.monitor() as client:
        stage.mark_from_now_on()
        await stage.publish(assigned())
        [raised] = await stage.wait_for(EscalationRaised)
        url = f"/v1/escalations/{raised.escalation_id}/acknowledge"
        answer = await client.post(url, json={"by": "Mia@ACME.example ", "for": "30 minutes"})
        assert (answer.status_code, answer.json()["state"], answer.json()["acknowledged_by"]) == (
            200,
            "acknowledged",
            "mia",
        )
        [event] = await stage.wait_for(EscalationAcknowledged)
        assert (event.by, event.until) == ("mia", event.at + timedelta(minutes=30))
        listed = {}
        for state in ("firing", "acknowledged", "closed"):
            page = (await client.get("/v1/escalations", params={"state": state})).json()
            listed[state] = [item["escalation_id"] for item in page["items"]]
        assert listed == {"firing": [], "acknowledged": [raised.escalation_id], "closed": []}
        for wrong in (
            {"by": "mia", "for": "a while"},
            {"by": ""},
            {"by": "nobody-known"},
            {"by": "mia", "fro": "1 hour"},
        ):
            assert (await client.post(url, json=wrong)).status_code == 422
        assert (await client.post("/v1/escalations/nope/acknowledge", json={"by": "mia"})).status_code == 404


async def test_an_activity_that_cannot_be_read_holds_its_lead_until_it_is_replayed(stage: Stage) -> None:
    async with stage.monitor() as client:
        call = activity(at=now())
        good = encode(Envelope("call", "baton/test", now(), call))
        headers = tuple((name, b"no.such.type" if name == "ce_type" else value) for name, value in good.headers)
        await stage.publish(assigned(), assigned("other"))
        await stage.bus.publish([Message(ACTIVITIES, "ld_1", good.value, headers)])
        stage.mark_from_now_on()
        [breached] = await stage.wait_for(WindowBreached)
        assert breached.lead_id == "other"
        [held] = (await client.get("/v1/windows", params={"lead_id": "ld_1"})).json()["items"]
        assert held["state"] == "open"
        assert "could not be read" in held["hold"]
        await stage.bus.publish([good])
        [met] = await stage.wait_for(WindowMet)
        assert (met.lead_id, met.at) == ("ld_1", call.accepted_at)


async def test_a_held_lead_can_be_released_by_hand(stage: Stage) -> None:
    async with stage.monitor() as client:
        await stage.bus.publish([Message(ACTIVITIES, "ld_1", b"{", (("ce_type", b"no.such.type"),))])
        await stage.settled()
        await stage.publish(assigned())
        stage.mark_from_now_on()
        await stage.silent(WindowBreached, 1.8)
        assert (await client.post("/v1/leads/ld_1/release")).json() == {"lead_id": "ld_1", "released": 1}
        assert (await client.post("/v1/leads/ld_1/release")).status_code == 404
        await stage.wait_for(WindowBreached)


async def test_windows_page_through_all_and_need_a_key(stage: Stage) -> None:
    async with stage.monitor() as client:
        await stage.publish(*(assigned(f"ld_{n}") for n in range(25)))
        await stage.wait_for(WindowOpened, 25)
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while len(seen) < 26:
            page = (await client.get("/v1/windows", params={"limit": 10, "owner": "ann", **cursor})).json()
            seen += [item["lead_id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert sorted(seen) == sorted(f"ld_{n}" for n in range(25))
        assert (await client.get("/v1/windows", params={"cursor": "x"})).status_code == 422
        assert (await client.get("/v1/windows", params={"state": "late"})).status_code == 422
        assert (await client.get("/v1/windows", headers={"Authorization": ""})).status_code == 401


async def test_an_assignment_under_an_agreement_that_is_not_here_yet_waits_for_it(stage: Stage) -> None:
    deal = agreement(
        page=f"{120 + secrets.randbelow(100_000)} minutes"
    )  # versions are remembered per process: take a new one
    async with stage.monitor():
        await stage.publish(assigned(deal=deal))
        await stage.silent(WindowOpened)
        await store(stage.database, deal)
        await stage.wait_for(WindowOpened)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.postgres
async def test_two_monitors_settle_each_window_once(stage: Stage) -> None:
    other = Database(stage.database.url, SystemClock())
    async with stage.monitor(), stage.monitor(other):
        await stage.mark()
        begun_at = now()
        await stage.publish(*(assigned(f"ld_{n}", QUICK, assigned_at=begun_at) for n in range(300)))
        await stage.wait_for(WindowOpened, 300)
        # In time, however long the monitors took to open 300 windows.
        calls = (activity(f"ld_{n}", at=begun_at + timedelta(milliseconds=n)) for n in range(0, 300, 3))
        await stage.publish(*calls)
        stage.mark_from_now_on()
        await stage.wait_for(WindowMet, 100)
        await stage.wait_for(MoveRequested, 200)
        counts = {kind: sum(type(event) is kind for event in stage.events) for kind in (WindowMet, WindowBreached)}
        assert counts == {WindowMet: 100, WindowBreached: 200}
        assert stage.copies == 0
    await other.close()


async def test_an_activity_that_two_ingest_processes_accepted_counts_as_it_was_first(stage: Stage) -> None:
    async with stage.monitor():
        await stage.mark()
        await stage.publish(assigned())
        [opened] = await stage.wait_for(WindowOpened)
        await stage.silent(WindowBreached, 2.0)
        for seconds in (0.5, -0.5):
            at = opened.due_at + timedelta(seconds=seconds)
            call = replace(activity(at=at), activity_id="repeated")
            await stage.bus.publish([encode(Envelope("of-the-repeated-call", "baton/ingest", at, call))])
        [met] = await stage.wait_for(WindowMet)
        assert met.at == opened.due_at - timedelta(seconds=0.5)
        await stage.mark(opened.due_at + timedelta(seconds=1))
        await stage.silent(WindowBreached)


async def test_nothing_is_judged_while_an_ingest_instance_is_ahead_of_the_database(stage: Stage) -> None:
    async with stage.monitor() as client:
        ahead_at = now() + timedelta(minutes=10)
        await stage.mark(ahead_at)
        await stage.publish(assigned())
        await stage.wait_for(WindowOpened)
        await until(lambda: _clock_note(client))
        await stage.silent(WindowBreached, 2.0)
        assert "ingest-1 dates what it accepts" in await _clock_note(client)
        # Its clock was set right, so it went on under a new name.
        stage.mark_from_now_on("ingest-1-renewed")
        await stage.mark(ahead_at, state="left")
        await stage.wait_for(WindowBreached)
        assert not await _clock_note(client)


@pytest.mark.parametrize("ahead_s", [-5, 5])
async def test_verdicts_wait_while_an_ingest_clock_is_wrong_and_follow_once_it_is_right(
    stage: Stage, ahead_s: int
) -> None:
    async with stage.monitor() as client:
        wrong = stage.mark_from_now_on("ingest-1", ahead_s=ahead_s)
        await stage.publish(assigned(assigned_at=now() - timedelta(seconds=20)))
        await stage.wait_for(WindowOpened)
        await until(lambda: _clock_note(client))
        await stage.silent(WindowBreached, 2.0)
        wrong.cancel()
        stage.mark_from_now_on("ingest-1")
        await stage.wait_for(WindowBreached)
        assert not await _clock_note(client)


async def _clock_note(client: httpx.AsyncClient) -> str:
    notes = (await client.get("/readyz", headers={"Host": "127.0.0.1"})).json()["notes"]
    return str(notes.get("sla_monitor.clocks", ""))


async def test_a_call_dated_ahead_of_the_database_counts_from_when_it_was_read(stage: Stage) -> None:
    async with stage.monitor():
        await stage.mark()
        await stage.publish(assigned(assigned_at=now() + timedelta(seconds=30), received_at=now()))
        [opened] = await stage.wait_for(WindowOpened)
        await stage.publish(activity(at=opened.due_at + timedelta(minutes=10)))
        [met] = await stage.wait_for(WindowMet)
        assert met.at <= opened.due_at + timedelta(seconds=0.2)


@pytest.mark.parametrize("into", [None, "ld_1"])
async def test_a_first_inquiry_that_turns_up_after_the_breach_retracts_it(stage: Stage, into: str | None) -> None:
    inquiry_at = now() - timedelta(minutes=10)
    late = merged("ld_1" if into is None else "ld_2", into=into, received_at=inquiry_at)
    async with stage.monitor() as client:
        call = activity(at=now() - timedelta(minutes=5))
        await stage.publish(call, assigned())
        stage.mark_from_now_on()
        [breached] = await stage.wait_for(WindowBreached)
        await stage.publish(late)
        [retracted] = await stage.wait_for(BreachRetracted)
        assert (retracted.breach_id, retracted.met_by) == (breached.breach_id, call.activity_id)
        [window] = (await client.get("/v1/windows", params={"lead_id": "ld_1"})).json()["items"]
        assert (window["state"], window["met_by"]) == ("met", call.activity_id)
        await stage.publish(late)
        await stage.settled()
        assert len(await stage.wait_for(BreachRetracted)) == 1


async def test_an_earlier_first_inquiry_read_before_the_assignment_moves_the_start(stage: Stage) -> None:
    inquiry_at = now() - timedelta(minutes=10)
    async with stage.monitor():
        call = activity(at=now() - timedelta(minutes=5))
        await stage.publish(call, merged("ld_2", into="ld_1", received_at=inquiry_at))
        await stage.settled()
        await stage.publish(assigned())
        assert "ld_1" in {met.lead_id for met in await stage.wait_for(WindowMet, 13)}
