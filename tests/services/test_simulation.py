"""A replay of the past under the versions that were in force comes out as it did; under another, what differs is what
the change is about.
"""

import asyncio
import csv
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from services.cli.simulate import SimulateOptions
from services.cli.simulate import simulation_text as commanded
from services.router.domain.lead import Lead
from services.router.simulation.process import Simulations, Wanted
from services.router.simulation.summary import LeadOutcome
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.errors import Misconfigured, Refused, Unavailable
from shared.domain.events import PilotArm
from shared.domain.lead import Company, Contact
from tests.services.replayed_kit import differences, kinds_of_asks, missed
from tests.services.simulation_kit import SECOND_VERSION, SPRING, MovedClock, Past, lively, parsed, past, version

PILOT = """
pilots:
  - {name: trial, scope: {field: contact.language, op: is, value: fr}, agreement: draft.yaml, mode: live}
"""
KINDS = {"missed", "declined", "manual", "drained"}


def same(lead: Lead, breached: list[str], outcome: LeadOutcome) -> bool:
    ours = (outcome.state, outcome.stage, outcome.owner, outcome.pool, outcome.rule, outcome.respond_by)
    theirs = (lead.state, lead.stage, lead.rep, lead.pool, lead.rule, lead.respond_by)
    return ours == theirs and outcome.breached == tuple(sorted(breached))


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_versions_in_force_over_their_own_history_give_no_difference(
    moved: Database, embedded_bus: EmbeddedBus, clock: MovedClock, tmp_path: Path
) -> None:
    first = version() + PILOT
    second = version(2, effective_from=SECOND_VERSION, bob=False, within="10 minutes", score=5)
    second += PILOT.replace("mode: live", "mode: shadow")
    draft = version(score=25, large=20, within="5 minutes").replace("agreement: test", "agreement: trial")
    async with past(tmp_path, moved, embedded_bus, clock, first, second, drafts={"draft.yaml": draft}) as lived:
        await lively(lived, steps=90, seed=5)
        assert clock.at < SECOND_VERSION
        clock.at = SECOND_VERSION - timedelta(hours=1)
        await lived.later(minutes=1)
        for lead_id in [k for k, lead in (await lived.leads()).items() if lead.state in ("assigned", "parked")][:4]:
            await lived.order("POST", f"/v1/leads/{lead_id}/move", {"to": {"rep": "bob"}, "reason": "for a while"})
        for lead_id in [k for k, lead in (await lived.leads()).items() if lead.outcome == "rejected"][:3]:
            await lived.act(lead_id, "accepted", by="cleo")
        await lived.later(hours=1, minutes=5)
        await lived.judge_again()
        for lead_id in [k for k, lead in (await lived.leads()).items() if lead.into is not None][:4]:
            await lived.order("POST", f"/v1/leads/{lead_id}/split", {"reason": "they are two people"})
        for rep in ("ann", "dirk"):
            off = {"first": (clock.at + timedelta(days=1)).date().isoformat()}
            await lived.order("PUT", f"/v1/reps/{rep}/leave", {"leave": [off]})
        await lively(lived, steps=40, seed=6)
        assert await kinds_of_asks(lived) >= {*KINDS, "left", "reopened", "rescored", "rejudged", "split", "on_leave"}
        in_arms = {arm for lead in (await lived.leads()).values() for arm in lead.arms}
        assert in_arms == {PilotArm("trial", "draft"), PilotArm("trial", "in_force")}
        summary, found = await differences(lived)
        assert summary.leads > 30
        assert found == {}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_same_agreement_under_another_version_gives_no_difference_and_the_past_is_reported_as_it_was(
    moved: Database, embedded_bus: EmbeddedBus, clock: MovedClock, tmp_path: Path
) -> None:
    async with past(tmp_path, moved, embedded_bus, clock, version()) as lived:
        await lively(lived, steps=140, seed=4)
        assert await kinds_of_asks(lived) >= KINDS
        _, found = await differences(lived, draft=parsed(version(7)))
        assert found == {}
        _, found = await differences(lived, draft=parsed(version(7)), since=SPRING.replace(day=28))
        assert found == {}
        _, found = await differences(lived, draft=parsed(version(7)), against=parsed(version(8)))
        assert found == {}
        # Under a draft that refuses nearly everyone, nearly every lead is listed with what really became of it.
        _, found = await differences(lived, draft=parsed(version(7, score=75)))
        await lived.settled()
        leads, breached = await lived.leads(), await missed(lived)
        assert len(found) > 25
        wrong = {k: each.before for k, each in found.items() if not same(leads[k], breached.get(k, []), each.before)}
        assert wrong == {}


@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.timeout(120)
async def test_a_first_inquiry_or_copy_that_was_read_late_gives_no_difference(
    moved: Database, embedded_bus: EmbeddedBus, clock: MovedClock, tmp_path: Path, *, copies: bool
) -> None:
    async with past(tmp_path, moved, embedded_bus, clock, version()) as lived:
        await lived.later(minutes=60)
        await lived.inquire("p3")
        await lived.act("p3", "call")
        first_at = clock.at
        await lived.later(minutes=1)
        for lead_id, kind in (("p0", "call"), ("p1", "lost")):
            await lived.act(lead_id, kind)
        await lived.later(minutes=1)
        for lead_id in ("p0", "p1", "p2"):
            await lived.inquire(lead_id, inquiry_id=f"{lead_id}_inquiry")
        await lived.later(minutes=1)
        for lead_id in ("p0", "p1", "p2"):
            inquiry_id = f"{lead_id}_inquiry" if copies else f"{lead_id}_first"
            await lived.inquire(lead_id, inquiry_id=inquiry_id, accepted_at=first_at)
        await lived.later(hours=3)
        await lived.settled()
        leads, breached = await lived.leads(), await missed(lived)
        assert {lead_id: lead.state for lead_id, lead in leads.items()} == {
            "p0": "assigned",
            # A second inquiry came after the end of the lead, a copy was there before it.
            "p1": "closed" if copies else "assigned",
            "p2": "assigned",
            "p3": "assigned",
        }
        assert breached.keys() == {"p2"} | (set() if copies else {"p1"})
        assert (await differences(lived))[1] == {}
        _, found = await differences(lived, draft=parsed(version(7, score=75)))
        assert {k for k, each in found.items() if not same(leads[k], breached.get(k, []), each.before)} == set()


async def a_morning(lived: Past) -> None:
    """Seven leads, two of which are worth 25 points."""
    await lived.later(minutes=60)
    for number, kind in enumerate(("demo_request", "newsletter", "demo_request", "newsletter", "demo_request")):
        seniority = "director" if kind == "newsletter" else None
        contact = Contact(email=f"p{number}@p{number}.example", seniority=seniority)
        await lived.inquire(f"p{number}", kind=kind, contact=contact, campaign="=spring")
        await lived.later(minutes=1)
    await lived.inquire("p5", company=Company(name="Big", employees=700))
    await lived.inquire("p6", kind="whitepaper")
    await lived.act("p0", "call")
    await lived.later(hours=3)


async def test_a_higher_threshold_changes_exactly_the_leads_between_the_two(
    moved: Database, embedded_bus: EmbeddedBus, clock: MovedClock, tmp_path: Path
) -> None:
    async with past(tmp_path, moved, embedded_bus, clock, version()) as lived:
        await a_morning(lived)
        draft = parsed(version(2, score=30))
        summary, found = await differences(lived, draft=draft)
        assert set(found) == {"p1", "p3"}
        assert (found["p1"].before.owner, found["p1"].after.owner) == ("eve", None)
        assert found["p1"].after.why == "score: 25 points, the agreement asks for 30"
        assert (summary.leads, summary.stages["rejected"].before.leads, summary.stages["rejected"].after.leads) == (
            7,
            1,
            3,
        )
        assert (summary.reps["eve"].before.leads, summary.reps["eve"].after.leads) == (2, 0)
        assert summary.channels["paid_search"].before.qualified == 6
        _, against = await differences(lived, draft=draft, against=parsed(version()))
        assert set(against) == {"p1", "p3"}
        _, later = await differences(lived, draft=draft, since=found["p1"].received_at)
        assert set(later) == {"p1", "p3"}
        _, none = await differences(lived, draft=draft, since=clock.at)
        assert none == {}


@pytest.mark.parametrize("moves", [True, False])
async def test_leads_that_others_got_during_leave_give_no_difference_unless_they_were_to_wait(
    moved: Database, embedded_bus: EmbeddedBus, clock: MovedClock, tmp_path: Path, *, moves: bool
) -> None:
    texts = [version(2), version(2).replace("on_leave: move", "on_leave: pause")]
    text, other = texts if moves else reversed(texts)
    async with past(tmp_path, moved, embedded_bus, clock, text) as lived:
        await lived.later(hours=3, minutes=25)
        off = {"first": clock.at.date().isoformat()}
        await lived.order("PUT", "/v1/reps/ann/leave", {"leave": [off | {"half": "afternoon"}]})
        for number in range(6):
            await lived.inquire(f"p{number}", company=Company(employees=5000) if number > 3 else Company())
        anns = [lead_id for lead_id, lead in (await lived.leads()).items() if lead.rep == "ann"]
        await lived.act(anns[0], "call", by="ann")
        await lived.later(minutes=6)
        await lived.order("PUT", "/v1/reps/dirk/leave", {"leave": [off]})
        leads, during_leave = await lived.leads(), clock.at
        assert leads[anns[0]].rep == "ann"
        assert leads[anns[1]].rep == ("cleo" if moves else "ann")
        assert ("dirk" in {lead.rep for lead in leads.values()}) is not moves
        await lived.later(hours=40)
        await lived.settled()
        assert ("on_leave" in await kinds_of_asks(lived)) is moves
        _, found = await differences(lived)
        assert found == {}
        _, found = await differences(lived, draft=parsed(other), until=during_leave)
        assert anns[0] not in found
        owners = (found[anns[1]].before.owner, found[anns[1]].after.owner)
        assert owners == (("cleo", "ann") if moves else ("ann", "cleo"))


async def test_a_rule_that_takes_more_moves_its_leads_and_the_turns_behind_them(
    moved: Database, embedded_bus: EmbeddedBus, clock: MovedClock, tmp_path: Path
) -> None:
    async with past(tmp_path, moved, embedded_bus, clock, version()) as lived:
        await a_morning(lived)
        summary, found = await differences(lived, draft=parsed(version(2, large=500)))
        assert {lead_id for lead_id, each in found.items() if not each.turn_only} == {"p5"}
        assert found["p5"].after.pool == "large"
        assert summary.turn_only == len(found) - 1


async def test_a_longer_promise_is_missed_by_fewer_and_moves_fewer(
    moved: Database, embedded_bus: EmbeddedBus, clock: MovedClock, tmp_path: Path
) -> None:
    async with past(tmp_path, moved, embedded_bus, clock, version()) as lived:
        await a_morning(lived)
        summary, found = await differences(lived, draft=parsed(version(2, within="4 hours")))
        assert found["p2"].before.breached
        assert all(not each.after.breached for each in found.values())
        assert summary.total.after.breached == 0 < summary.total.before.breached
        assert "p0" not in {k for k, each in found.items() if "breach" in each.fields}


async def test_the_command_writes_what_differs_without_a_buyers_name(
    moved: Database, embedded_bus: EmbeddedBus, clock: MovedClock, tmp_path: Path
) -> None:
    async with past(tmp_path, moved, embedded_bus, clock, version()) as lived:
        await a_morning(lived)
    draft, lines, page = tmp_path / "draft.yaml", tmp_path / "found.csv", tmp_path / "found.html"
    draft.write_text(version(2, score=30))
    environ = {"BATON_DATABASE_URL": moved.url}
    options = SimulateOptions(draft, csv=lines, html=page)
    output = await asyncio.to_thread(commanded, environ, options)
    assert "as recorded -> test version 2" in output
    assert "7 leads" in output
    assert "2 of them differ" in output
    with lines.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["lead_id"], row["state_after"], row["campaign"]) for row in rows] == [
        ("p1", "rejected", "'=spring"),
        ("p3", "rejected", "'=spring"),
    ]
    written = output + lines.read_text() + page.read_text()
    assert "p1.example" not in written
    assert page.read_text().startswith("<!doctype html>")
    again = await asyncio.to_thread(commanded, environ, SimulateOptions(draft, against=1))
    assert "test version 1 -> test version 2" in again
    with pytest.raises(Misconfigured, match=r"no version 9 .* Stored versions: 1"):
        await asyncio.to_thread(commanded, environ, SimulateOptions(draft, against=9))
    with pytest.raises(Misconfigured, match="'yesterday' is not a date"):
        await asyncio.to_thread(commanded, environ, SimulateOptions(draft, since="yesterday"))
    with pytest.raises(Misconfigured, match="there is no database in"):
        await asyncio.to_thread(commanded, {"BATON_DATA": str(tmp_path / "none")}, SimulateOptions(draft))


async def test_for_a_page_a_simulation_runs_off_the_event_loop_and_within_a_bound(
    moved: Database, embedded_bus: EmbeddedBus, clock: MovedClock, tmp_path: Path
) -> None:
    async with past(tmp_path, moved, embedded_bus, clock, version()) as lived:
        await a_morning(lived)
    simulations = Simulations()
    wanted = Wanted(moved.url, version(2, score=30), {}, None, clock.at)
    found = await simulations.run(wanted)
    assert [each["lead_id"] for each in found["first"]] == ["p1", "p3"]
    with pytest.raises(Refused, match="at most 3"):
        await simulations.run(msgspec.structs.replace(wanted, max_entries=3))


async def test_one_simulation_runs_at_a_time_and_is_ended_when_nobody_waits_for_it(
    moved: Database, clock: MovedClock
) -> None:
    simulations = Simulations()
    slow = Wanted(moved.url, "\n".join(f"key{n}: {n}" for n in range(15_000)), {}, None, clock.at)
    first = asyncio.create_task(simulations.run(slow))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="Another simulation"):
        await simulations.run(slow)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    with pytest.raises(Refused, match=r"^draft.yaml:1:1"):
        await simulations.run(msgspec.structs.replace(slow, draft="agreement: x\n"))


async def test_a_simulation_that_takes_too_long_is_ended(moved: Database, clock: MovedClock) -> None:
    with pytest.raises(Refused, match="took longer than"):
        await Simulations(max_s=0.01).run(Wanted(moved.url, "a: 1", {}, None, clock.at))
    slow = "\n".join(f"key{n}: {n}" for n in range(15_000))
    with pytest.raises(Refused, match="more than 1 s of processor time"):
        await Simulations().run(Wanted(moved.url, slow, {}, None, clock.at, max_cpu_s=1))
