"""What time alone changes: hours begin, a day begins, a hold ends, a version takes effect. The clock is put where the
test wants it; nothing waits for real hours.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from services.router.domain import availability
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import LeadAssigned, LeadParked
from shared.domain.lead import Company, Contact
from tests.kit.agreements import agreement
from tests.kit.clocks import ManualWall
from tests.kit.tables import make_tables
from tests.services.router_kit import Router, activity, inquiry, running

HOURS = """\
agreement: hours
version: 1
effective_from: 2026-01-01T00:00:00+01:00
approved_by: {marketing: {name: Mara, on: 2026-01-01}, sales: {name: Sal, on: 2026-01-01}}
timezone: Europe/Brussels
calendars:
  brussels: {hours: {mon-fri: [09:00-12:00, 13:00-17:00]}}
definitions: {mql: {minimum_data: []}}
people:
  - {id: ann, email: ann@acme.example, calendar: brussels, max_new_per_day: 2}
  - {id: bob, email: bob@acme.example, calendar: brussels, max_new_per_day: 2}
pools:
  field: {members: {ann: 1, bob: 1}, only_in_hours: true}
routing:
  - {name: everyone, to: {pool: field}}
promises:
  sales: {first_response: {within: 15 minutes, met_by: [call], ladder: one}}
ladders:
  one: [{at: 0 minutes, tell: [rep]}]
"""
MONDAY = datetime.fromisoformat("2026-11-23T08:30+01:00")


@pytest.fixture
def clock() -> ManualWall:
    return ManualWall(MONDAY)


@pytest.fixture
async def router(embedded_bus: EmbeddedBus, tmp_path: Path, clock: ManualWall) -> AsyncIterator[Router]:
    file = tmp_path / "agreement.yaml"
    file.write_text(HOURS)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/timed.db", clock)
    await make_tables(database)
    async with running(file, database, embedded_bus, clock) as router:
        yield router
    await database.close()


async def asks(router: Router, *people: int) -> None:
    await router.publish(*(inquiry(n, company=Company(), contact=Contact(email=f"p{n}@gmail.com")) for n in people))


async def later(router: Router, clock: ManualWall, **length: float) -> None:
    """Move the clock, and let the router look at it by a fact that changes nothing: its timer sleeps in real time."""
    clock.advance(**length)
    await router.publish(activity(0, "note", activity_id=f"note {clock.at}"))


async def test_leads_of_the_night_go_out_in_the_morning_the_longest_waiting_first_and_in_turn(
    router: Router, clock: ManualWall
) -> None:
    for person in (1, 2, 3):
        await asks(router, person)
        assert isinstance((await router.wait_for(1))[0], LeadParked)
        clock.advance(minutes=1)
    proof = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"][0]
    assert proof["passed_over"] == {"ann": "out of hours", "bob": "out of hours"}
    await later(router, clock, minutes=30)
    drained = await router.wait_for(3)
    owners = {event.lead_id: event.rep.id for event in drained if isinstance(event, LeadAssigned)}
    assert owners == {"ld_1": "ann", "ld_2": "bob", "ld_3": "ann"}
    for person in (1, 2, 3):
        verdicts = (await router.client.get(f"/v1/leads/ld_{person}/proof")).json()["verdicts"]
        assert [verdict["follows"] for verdict in verdicts] == [True, True]


async def test_a_daily_limit_holds_until_the_next_day_where_the_rep_works(router: Router, clock: ManualWall) -> None:
    clock.advance(hours=1)
    for person in range(1, 6):
        await asks(router, person)
    decisions = await router.wait_for(5)
    assert [event.TYPE for event in decisions].count("baton.lead.assigned.v1") == 4
    reps = {item["rep"]: item for item in (await router.client.get("/v1/reps")).json()["items"]}
    assert reps["ann"]["reason"] == "at capacity: got 2 of at most 2 leads today"
    await later(router, clock, days=1)
    [event] = await router.wait_for(1)
    assert isinstance(event, LeadAssigned)
    assert event.because == "drained"


async def test_a_hold_with_an_end_ends_by_itself(router: Router, clock: ManualWall) -> None:
    clock.advance(hours=1)
    until = datetime.fromisoformat("2026-11-23T10:00+01:00").isoformat()
    for rep in ("ann", "bob"):
        await router.client.put(f"/v1/reps/{rep}/availability", json={"state": "hold", "until": until})
    await asks(router, 1)
    [parked] = await router.wait_for(1)
    assert isinstance(parked, LeadParked)
    await later(router, clock, minutes=45)
    [event] = await router.wait_for(1)
    assert isinstance(event, LeadAssigned)


def test_half_a_day_of_leave_ends_at_noon_and_leaves_in_a_row_are_one() -> None:
    person = agreement().people["ann"]
    day = datetime.fromisoformat("2026-12-24").date()
    next_day = datetime.fromisoformat("2026-12-25").date()
    state = availability.RepState(
        leave=(availability.Leave(day, day, "afternoon"), availability.Leave(next_day, next_day, "morning"))
    )
    morning = datetime.fromisoformat("2026-12-24T11:59+01:00")
    evening = datetime.fromisoformat("2026-12-24T12:00+01:00")
    assert availability.absence(person, state, morning) is None
    away = availability.absence(person, state, evening)
    assert away is not None
    assert away.until == datetime.fromisoformat("2026-12-25T12:00+01:00")
