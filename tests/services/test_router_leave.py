"""What happens to the leads of reps who are on leave, on both databases."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db import schema
from shared.db.engine import Database
from shared.domain.events import LeadAssigned, LeadParked, LeadReassigned, LeadRescheduled
from shared.domain.lead import Company, Contact
from tests.services.router_kit import Router, activity, inquiry, running
from tests.services.simulation_kit import MovedClock

DEAL = """\
agreement: leave
version: 1
effective_from: 2026-01-01T00:00:00+01:00
approved_by: {{marketing: {{name: Mara, on: 2026-01-01}}, sales: {{name: Sal, on: 2026-01-01}}}}
timezone: Europe/Brussels
on_leave: {on_leave}
calendars:
  always: {{timezone: Europe/Brussels, hours: {{mon-sun: [00:00-24:00]}}}}
definitions: {{mql: {{minimum_data: []}}}}
people:
  - {{id: ann, email: ann@acme.example, calendar: always, deputy: bob}}
  - {{id: bob, email: bob@acme.example, calendar: always, deputy: cleo}}
  - {{id: cleo, email: cleo@acme.example, calendar: always}}
pools:
  field: {{members: {{ann: 1}}}}
  others: {{members: {{cleo: 1}}}}
routing:
  - {{name: returning lead, to: {{owner: lead}}}}
  - {{name: newsletter, when: {{field: inquiry.kind, op: is, value: newsletter}}, to: {{pool: others}}}}
  - {{name: everyone else, to: {{pool: field}}}}
promises:
  sales: {{first_response: {{within: 15 minutes, met_by: [call], ladder: one}}}}
ladders:
  one: [{{at: 0 minutes, tell: [rep]}}]
"""
BRUSSELS = ZoneInfo("Europe/Brussels")


class Starts(Protocol):
    def __call__(self, on_leave: str) -> AbstractAsyncContextManager[Router]: ...


@pytest.fixture
def start(database: Database, embedded_bus: EmbeddedBus, tmp_path: Path) -> Starts:
    @asynccontextmanager
    async def started(on_leave: str) -> AsyncIterator[Router]:
        file = tmp_path / "agreement.yaml"
        file.write_text(DEAL.format(on_leave=on_leave))
        async with running(file, database, embedded_bus) as router:
            yield router

    return started


def today() -> date:
    return datetime.now(BRUSSELS).date()


def midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), BRUSSELS)


async def goes_on_leave(router: Router, rep: str, *, first: int = 0, days: int = 21) -> datetime:
    """The rep is on leave from today, or some days from now; when they are back."""
    begins = today() + timedelta(days=first)
    off = {"first": begins.isoformat(), "last": (begins + timedelta(days=days - 1)).isoformat()}
    assert (await router.client.put(f"/v1/reps/{rep}/leave", json={"leave": [off]})).status_code == 200
    return midnight(begins + timedelta(days=days))


async def returned(router: Router) -> LeadAssigned:
    """The assignment of a person whom ann had before, and who comes back."""
    await router.publish(inquiry(1, 2))
    [event] = await router.wait_for(1)
    assert isinstance(event, LeadAssigned)
    verdict = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"][-1]
    assert verdict["follows"] is True
    return event


async def was_anns(router: Router) -> None:
    await router.publish(inquiry(1))
    await router.wait_for(1)
    await router.publish(activity(1, "lost"))
    await router.lead("ld_1", lambda lead: lead["state"] == "closed")


async def test_a_lead_of_an_owner_on_leave_waits_until_they_are_back(start: Starts) -> None:
    async with start("pause") as router:
        await was_anns(router)
        back = await goes_on_leave(router, "ann")
        event = await returned(router)
        assert (event.rep.id, event.respond_by) == ("ann", back + timedelta(minutes=15))
        assert event.owner_away == f"on leave until {back:%Y-%m-%d %H:%M}"
        assert [each.ends_at for each in event.owner_leave] == [back]
        verdict = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"][-1]
        assert verdict["reason"].endswith(f"they are on leave until {back:%Y-%m-%d %H:%M}, and the clock waits")


async def test_a_lead_of_an_owner_on_leave_goes_to_their_deputy(start: Starts) -> None:
    async with start("move") as router:
        await was_anns(router)
        back = await goes_on_leave(router, "ann")
        event = await returned(router)
        assert (event.rep.id, event.rule, event.owner_away) == ("bob", "returning lead", None)
        verdict = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"][-1]
        assert f"bob is the deputy of ann, who is on leave until {back:%Y-%m-%d %H:%M}" in verdict["reason"]
        assert event.respond_by is not None
        assert event.respond_by < datetime.now(UTC) + timedelta(minutes=15)


async def test_a_lead_of_a_deputy_on_leave_goes_to_the_deputys_deputy(start: Starts) -> None:
    async with start("move") as router:
        await was_anns(router)
        for rep in ("ann", "bob"):
            await goes_on_leave(router, rep)
        assert (await returned(router)).rep.id == "cleo"


async def test_leave_that_begins_changes_or_is_taken_back_moves_the_deadline_of_an_open_lead(start: Starts) -> None:
    async with start("pause") as router:
        await router.publish(inquiry(1))
        [assigned] = await router.wait_for(1)
        assert isinstance(assigned, LeadAssigned)
        assert assigned.respond_by is not None
        back = await goes_on_leave(router, "ann")
        [moved] = await router.wait_for(1)
        assert isinstance(moved, LeadRescheduled)
        assert (moved.lead_id, moved.generation, moved.rep.id) == ("ld_1", 1, "ann")
        assert moved.respond_by == back + (assigned.respond_by - moved.changed_at)
        lead = (await router.client.get("/v1/leads/ld_1")).json()
        assert datetime.fromisoformat(lead["owner"]["respond_by"]) == moved.respond_by
        await router.client.put("/v1/reps/ann/leave", json={"leave": []})
        [there] = await router.wait_for(1)
        assert isinstance(there, LeadRescheduled)
        assert there.respond_by == assigned.respond_by + (there.changed_at - moved.changed_at)
        await goes_on_leave(router, "ann", first=3)
        await goes_on_leave(router, "bob")
        [ahead] = await router.wait_for(1)
        assert isinstance(ahead, LeadRescheduled)
        assert ahead.respond_by == there.respond_by


async def test_a_hold_moves_no_deadline_and_leave_of_an_ended_lead_says_nothing(start: Starts) -> None:
    async with start("pause") as router:
        await was_anns(router)
        await goes_on_leave(router, "ann")
        await router.client.put("/v1/reps/ann/availability", json={"state": "hold"})
        await router.publish(inquiry(2, contact=Contact(email="p2@gmail.com"), company=Company()))
        [event] = await router.wait_for(1)
        assert isinstance(event, LeadParked)


async def test_an_unanswered_lead_goes_to_the_deputy_when_its_owner_goes_on_leave(start: Starts) -> None:
    async with start("move") as router:
        await asked(router, 1, 2, 3, 4)
        await router.publish(
            activity(1, "call", outcome="no_answer"), activity(2, "email", outcome="bounced"), activity(3, "accepted")
        )
        await router.lead("ld_3", lambda lead: lead["stage"] == "sal")
        back = await goes_on_leave(router, "ann")
        events = await router.wait_for(6)
        moved = {each.lead_id: each for each in events if isinstance(each, LeadReassigned)}
        assert sorted(moved) == ["ld_2", "ld_4"]
        for event in moved.values():
            assert (event.because, event.previous_rep, event.rep.id, event.generation) == ("on_leave", "ann", "bob", 2)
            assert (event.owner_away, event.respond_by) == (None, event.assigned_at + timedelta(minutes=15))
            proof = (await router.client.get(f"/v1/leads/{event.lead_id}/proof")).json()["verdicts"][-1]
            assert proof["follows"] is True
            away = f"on leave until {back:%Y-%m-%d %H:%M}"
            assert proof["reason"] == f"ann went on leave; bob is the deputy of ann, who is {away}"
        by_hand = {"to": {"rep": "ann"}, "reason": "knows them"}
        answer = await router.client.post("/v1/leads/ld_2/move", json=by_hand)
        assert answer.json()["warning"] == f"ann is {away}; the clock waits. Their deputy is bob."


async def test_leave_that_began_while_no_router_ran_moves_leads_when_one_starts(
    embedded_bus: EmbeddedBus, tmp_path: Path
) -> None:
    file, clock = tmp_path / "agreement.yaml", MovedClock(datetime.now(UTC))
    # Deadlines go by the database's clock, which only SQLite lets a test move.
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", clock)
    await schema.migrate(database)
    file.write_text(DEAL.format(on_leave="move"))
    async with running(file, database, embedded_bus, clock) as router:
        await asked(router, 1)
        await goes_on_leave(router, "ann", first=1)
        [planned] = await router.wait_for(1)
        assert isinstance(planned, LeadRescheduled)
    clock.at += timedelta(days=1)
    async with running(file, database, embedded_bus, clock) as router:
        await router.lead("ld_1", lambda lead: lead["owner"]["rep"] == "bob")  # type: ignore[index]
    await database.close()


async def asked(router: Router, *people: int) -> None:
    """People ask, and ann gets them all."""
    for person in people:
        contact = Contact(email=f"p{person}@gmail.com")
        await router.publish(inquiry(person, contact=contact, company=Company()))
    assert {each.rep.id for each in await router.wait_for(len(people)) if isinstance(each, LeadAssigned)} == {"ann"}
