"""All the promises of an agreement on a real log and either database: counts, dispositions, triage and disputes."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from shared import agreement_file
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.agreement import Agreement
from shared.domain.business_time import business_days_after
from shared.domain.events import (
    BreachRetracted,
    EscalationClosed,
    EscalationRaised,
    Recipient,
    WindowBreached,
    WindowCancelled,
    WindowMet,
    WindowOpened,
)
from tests.kit.agreements import agreement_text
from tests.kit.events import activated
from tests.services.audit_kit import audited, read_all
from tests.services.sla_monitor_kit import DEAL as PROBES
from tests.services.sla_monitor_kit import (
    Stage,
    activity,
    assigned,
    merged,
    now,
    parked,
    rejected,
    stage_on,
)

PROMISES = """\
    attempts: {at_least: 3, within: 1 second, met_by: [call, email], ladder: gentle}
    disposition: {within: 2 business days, met_by: [accepted, rejected], ladder: gentle}
  operations:
    triage: {parked_within: 5 seconds, ladder: gentle}
    disputes: {answered_within: 2 business days, ladder: gentle}

queues:
  triage: {owner: mia}

ladders:
  gentle: [{at: 0 minutes, tell: [rep]}, {at: 1 business day, tell: [manager]}]
"""


DUTY = """\
ladders:
  response: [{at: 0 seconds, tell: [ops], page: true}, {at: 2 hours, tell: [sales_lead]}]
duty:
  ops: {rota: [ann], turn: week, starts: 2099-01-01}
  sales_lead: {always: mia, override: [{who: bob, from: 2026-01-01, to: 2099-12-31}]}
"""


def full_agreement() -> Agreement:
    text = agreement_text(within="1 hour", warn="5 minutes", move="1 hour", page="2 hours")
    whole = text.replace("\nladders:\n", PROMISES, 1)
    return agreement_file.parse(whole, "full.yaml").agreement


DEAL = full_agreement()
OWNERS = agreement_file.parse(
    agreement_text(within="1 hour").replace("met_by: [call, email, meeting]", "met_by: [call, email], by: owner"),
    "owners.yaml",
).agreement
STAFFED = agreement_file.parse(
    f"{agreement_text(within='1 second').partition('ladders:')[0]}{DUTY}", "staffed.yaml"
).agreement
LONG_AGO = timedelta(minutes=1)


@pytest.fixture
async def stage(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus, DEAL, OWNERS, STAFFED, PROBES) as stage:
        yield stage


async def listed(client: httpx.AsyncClient, lead: str = "ld_1") -> dict[tuple[str, str], dict[str, Any]]:
    items = (await client.get("/v1/windows", params={"lead_id": lead})).json()["items"]
    return {(item["promise"], item["owner"]): item for item in items}


async def test_an_owner_is_held_to_every_promise_and_a_new_one_starts_again(stage: Stage) -> None:
    async with stage.monitor() as client:
        first = assigned(deal=DEAL)
        await stage.publish(first)
        opened = await stage.wait_for(WindowOpened, 3)
        assert [event.promise for event in opened] == ["first_response", "attempts", "disposition"]
        calendar = DEAL.people["ann"].calendar
        assert calendar is not None
        assert opened[2].due_at == business_days_after(calendar, opened[2].at, 2)
        moved_at = first.assigned_at + timedelta(milliseconds=1)
        await stage.publish(assigned(deal=DEAL, rep="bob", generation=2, assigned_at=moved_at))
        cancelled = await stage.wait_for(WindowCancelled, 3)
        assert {(event.owner, event.reason) for event in cancelled} == {("ann", "reassigned")}
        assert [event.owner for event in (await stage.wait_for(WindowOpened, 6))[3:]] == ["bob"] * 3
        windows = await listed(client)
        assert {owner: state["state"] for (promise, owner), state in windows.items() if promise == "attempts"} == {
            "ann": "cancelled",
            "bob": "open",
        }


async def test_attempts_are_counted_and_met_by_the_last_one_in_time(stage: Stage) -> None:
    async with stage.monitor() as client:
        start = now()
        calls = [activity(at=start + timedelta(milliseconds=step)) for step in (30, 10, 20)]
        await stage.publish(calls[0], assigned(deal=DEAL, assigned_at=start), calls[1], calls[1])
        await stage.wait_for(WindowMet)
        await stage.settled()
        attempts = (await listed(client))["attempts", "ann"]
        assert (attempts["state"], attempts["done"], attempts["needed"]) == ("open", 2, 3)
        await stage.mark(start + timedelta(seconds=1))
        await stage.publish(calls[2])
        stage.mark_from_now_on()
        await stage.silent(WindowBreached, 1.6)
        attempts = (await listed(client))["attempts", "ann"]
        assert (attempts["state"], attempts["done"], attempts["met_by"]) == ("met", 3, calls[0].activity_id)


async def test_what_kept_no_promise_is_remembered_with_its_outcome_and_its_person(stage: Stage) -> None:
    """Whether the activity or the assignment is read first."""
    async with stage.monitor() as client:
        start = now()
        await stage.publish(activity(kind="email", at=start, outcome="bounced"))
        await stage.settled()
        await stage.publish(assigned(deal=OWNERS, assigned_at=start), activity(at=start, outcome="voicemail", by="bob"))
        await stage.settled()
        assert (await listed(client))["first_response", "ann"]["state"] == "open"
        await stage.publish(activity(at=start, outcome="connected", by="ann", activity_id="reached"))
        await stage.settled()
        assert (await listed(client))["first_response", "ann"]["met_by"] == "reached"


async def test_nobody_on_duty_means_the_next_step_at_once_for_whoever_is_on_duty(stage: Stage) -> None:
    async with stage.monitor() as client:
        stage.mark_from_now_on()
        await stage.publish(assigned(deal=STAFFED))
        nobody, second = await stage.wait_for(EscalationRaised, 2)
        assert (nobody.level, nobody.to, nobody.notify, nobody.page) == (1, (), (), False)
        assert nobody.skipped == "nobody on duty"
        assert (second.level, second.to, second.skipped) == (2, (Recipient("sales_lead", "bob"),), None)
        assert second.at < nobody.due_at + timedelta(hours=1)
        [escalation] = (await client.get("/v1/escalations", params={"lead_id": "ld_1"})).json()["items"]
        assert (escalation["level"], escalation["notify"]) == (2, ["sales_lead"])


async def test_too_few_attempts_are_a_breach_that_the_missing_one_takes_back(stage: Stage) -> None:
    async with stage.monitor() as client:
        start = now()
        calls = [activity(at=start + timedelta(milliseconds=step)) for step in (10, 20, 30)]
        stage.mark_from_now_on()
        await stage.publish(assigned(deal=DEAL, assigned_at=start), *calls[:2])
        [breached] = await stage.wait_for(WindowBreached)
        assert breached.promise == "attempts"
        [raised] = await stage.wait_for(EscalationRaised)
        assert (raised.promise, raised.notify) == ("attempts", ("rep",))
        await stage.publish(activity(kind="note"), calls[1], calls[2])
        [retracted] = await stage.wait_for(BreachRetracted)
        assert (retracted.breach_id, retracted.met_by) == (breached.breach_id, calls[2].activity_id)
        assert [event.reason for event in await stage.wait_for(EscalationClosed)] == ["breach retracted"]
        assert (await listed(client))["attempts", "ann"]["state"] == "met"


async def test_a_parked_lead_has_a_clock_that_an_assignment_stops(stage: Stage) -> None:
    async with stage.monitor() as client:
        await stage.publish(parked(deal=DEAL))
        [opened] = await stage.wait_for(WindowOpened)
        assert (opened.promise, opened.side, opened.owner, opened.generation) == ("triage", "operations", "mia", 0)
        assert opened.due_at == opened.at + timedelta(seconds=5)
        event = assigned(deal=DEAL, assigned_at=opened.at + timedelta(milliseconds=1))
        await stage.publish(event)
        [met] = await stage.wait_for(WindowMet)
        assert (met.promise, met.met_by) == ("triage", "ld_1-1")
        assert len(await stage.wait_for(WindowOpened, 4)) == 4
        triage = (await listed(client))["triage", "mia"]
        assert (triage["state"], triage["side"], triage["done"]) == ("met", "operations", 1)


async def test_a_lead_that_waits_too_long_is_a_breach_which_an_assignment_in_time_takes_back(stage: Stage) -> None:
    async with stage.monitor():
        since = now() - LONG_AGO
        stage.mark_from_now_on()
        await stage.publish(parked(deal=DEAL, decided_at=since), parked("late", DEAL, decided_at=since))
        breached = await stage.wait_for(WindowBreached, 2)
        assert {(event.promise, event.owner, event.side) for event in breached} == {("triage", "mia", "operations")}
        assert len(await stage.wait_for(EscalationRaised, 2)) == 2
        await stage.publish(assigned("late", DEAL))
        [closed] = await stage.wait_for(EscalationClosed)
        assert (closed.lead_id, closed.reason) == ("late", "assigned late")
        await stage.publish(assigned(deal=DEAL, assigned_at=since + timedelta(seconds=4)))
        [retracted] = await stage.wait_for(BreachRetracted)
        assert retracted.lead_id == "ld_1"


async def test_a_lead_that_was_just_due_is_not_a_breach_while_its_assignment_may_be_unread(stage: Stage) -> None:
    async with stage.monitor():
        stage.mark_from_now_on()
        await stage.publish(parked(deal=DEAL, decided_at=now() - timedelta(seconds=10)))
        await stage.wait_for(WindowOpened)
        await stage.silent(WindowBreached, 1.5)


async def test_an_owner_who_loses_a_lead_to_a_queue_owes_nothing_more(stage: Stage) -> None:
    async with stage.monitor():
        waits = parked(deal=DEAL, version=2)
        await stage.publish(assigned(deal=DEAL), waits)
        cancelled = await stage.wait_for(WindowCancelled, 3)
        assert {(event.owner, event.reason) for event in cancelled} == {("ann", "parked in triage")}
        again_at = waits.decided_at + timedelta(milliseconds=1)
        await stage.publish(parked(deal=DEAL, version=3, decided_at=again_at))
        assert [event.promise for event in (await stage.wait_for(WindowCancelled, 4))[3:]] == ["triage"]
        assert [event.promise for event in (await stage.wait_for(WindowOpened, 5))[3:]] == ["triage", "triage"]
        await stage.publish(parked(deal=DEAL, version=3, reason="told again"))
        await stage.settled()
        assert len(await stage.wait_for(WindowCancelled, 4)) == 4
        assert stage.copies == 0


async def test_a_lead_that_is_routed_elsewhere_while_it_waits_does_not_restart_the_promise(stage: Stage) -> None:
    async with stage.monitor():
        since = now()
        for version, waits_since, decided in ((1, 0, 0), (2, 0, 1), (3, 2, 2)):
            parked_at, decided_at = (since + timedelta(seconds=each) for each in (waits_since, decided))
            await stage.publish(parked(deal=DEAL, version=version, parked_at=parked_at, decided_at=decided_at))
        opened = await stage.wait_for(WindowOpened, 2)
        assert [event.due_at - since for event in opened] == [timedelta(seconds=5), timedelta(seconds=7)]
        assert [event.window_id for event in await stage.wait_for(WindowCancelled)] == [opened[0].window_id]


async def test_a_lead_that_ends_without_an_owner_leaves_no_promise_running(stage: Stage) -> None:
    async with stage.monitor() as client:
        await stage.publish(parked(deal=DEAL), assigned("two", DEAL), parked("three", DEAL), parked("four", DEAL))
        await stage.publish(rejected(deal=DEAL), merged("two", DEAL, into="ld_9"), merged("four", DEAL, into=None))
        await stage.publish(activity("three", "rejected"))
        cancelled = await stage.wait_for(WindowCancelled, 5)
        assert {(event.lead_id, event.reason) for event in cancelled} == {
            ("ld_1", "rejected"),
            ("two", "it is lead ld_9 now"),
            ("three", "rejected"),
        }
        assert (await listed(client, "four"))["triage", "mia"]["state"] == "open"


async def test_a_dispute_is_owed_an_answer_by_the_rep_who_rejected(stage: Stage) -> None:
    async with stage.monitor() as client:
        start = now()
        await stage.publish(assigned(deal=DEAL, assigned_at=start))
        await stage.publish(activity(kind="rejected", at=start + timedelta(milliseconds=10)))
        dispute = activity(kind="disputed", at=start + timedelta(milliseconds=20))
        await stage.publish(dispute, dispute)
        opened = (await stage.wait_for(WindowOpened, 4))[3]
        assert (opened.promise, opened.side, opened.owner, opened.at) == (
            "disputes",
            "operations",
            "ann",
            dispute.accepted_at,
        )
        await stage.publish(parked(deal=DEAL, version=2))
        await stage.wait_for(WindowOpened, 5)
        assert (await listed(client))["disputes", "ann"]["state"] == "open"
        await stage.publish(activity(kind="disputed", at=start + timedelta(milliseconds=25)))
        await stage.wait_for(WindowOpened, 6)
        await stage.publish(activity(kind="accepted", at=start + timedelta(milliseconds=30)))
        met = await stage.wait_for(WindowMet, 3)
        assert [event.promise for event in met] == ["disposition", "disputes", "disputes"]
        assert stage.copies == 0


async def test_a_dispute_that_overtakes_the_assignment_is_not_lost(stage: Stage) -> None:
    async with stage.monitor():
        start = now()
        await stage.publish(activity(kind="disputed", at=start + timedelta(milliseconds=20)))
        await stage.settled()
        before = len(stage.events)
        await stage.publish(assigned(deal=DEAL, assigned_at=start))
        known = sum(isinstance(event, WindowOpened) for event in stage.events[:before])
        opened = (await stage.wait_for(WindowOpened, known + 4))[known:]
        assert [event.promise for event in opened] == ["first_response", "attempts", "disposition", "disputes"]


async def test_a_dispute_under_a_second_id_is_owed_an_answer_once_that_is_known_to_be_the_same_persons(
    stage: Stage,
) -> None:
    async with stage.monitor():
        start = now()
        await stage.publish(activity("ld_2", "disputed", at=start + timedelta(milliseconds=20)))
        await stage.publish(assigned(deal=DEAL, assigned_at=start))
        await stage.wait_for(WindowOpened, 3)
        await stage.settled()
        before = {each.window_id for each in stage.events if isinstance(each, WindowOpened)}
        await stage.publish(merged("ld_2", DEAL, into="ld_1"))
        opened = [each for each in await stage.wait_for(WindowOpened, len(before) + 1) if each.window_id not in before]
        assert [(each.lead_id, each.promise, each.owner) for each in opened] == [("ld_1", "disputes", "ann")]
    await read_all(stage.bus, stage.database)
    report = await audited(stage.database)
    assert (report.differences, report.not_checked) == ([], {})


async def test_a_new_version_of_the_agreement_passes_by_without_effect(stage: Stage) -> None:
    async with stage.monitor():
        event = activated(lead_id=DEAL.name, agreement=DEAL.ref)
        await stage.publish(event, parked(deal=DEAL))
        await stage.wait_for(WindowOpened)
        assert len(stage.events) == 1


async def test_a_dispute_is_answered_by_one_rep_although_the_person_turns_out_to_have_another_lead(
    stage: Stage,
) -> None:
    async with stage.monitor():
        start = now()
        await stage.publish(assigned(deal=DEAL, assigned_at=start))
        await stage.publish(assigned("ld_2", DEAL, rep="bob", generation=3, assigned_at=start))
        await stage.wait_for(WindowOpened, 6)
        await stage.publish(activity(kind="disputed", at=start + timedelta(milliseconds=20)))
        await stage.wait_for(WindowOpened, 7)
        await stage.publish(merged("ld_2", DEAL, into="ld_1", was="assigned", lead_version=4))
        await stage.wait_for(WindowCancelled, 2)
        await stage.publish(assigned(deal=DEAL, rep="bob", generation=2))
        await stage.wait_for(WindowOpened, 10)
        await stage.settled()
        asked = [each for each in stage.events if isinstance(each, WindowOpened) and each.promise == "disputes"]
        assert [(each.lead_id, each.owner) for each in asked] == [("ld_1", "ann")]
    await read_all(stage.bus, stage.database)
    report = await audited(stage.database)
    assert (report.differences, report.not_checked) == ([], {})
