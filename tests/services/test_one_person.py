"""A person who asked by number first, and by address and number then, is one lead: what is reported under either id
counts for it in the router, the monitor and on the scoreboard, in any order.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.scoreboard.domain.leads import LeadRow
from services.scoreboard.store import queries
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import (
    ActivityRecorded,
    LeadAssigned,
    LeadMerged,
    LeadSplit,
    WindowBreached,
    WindowCancelled,
    WindowMet,
)
from shared.domain.lead import Contact
from tests.kit import services
from tests.kit.waiting import until_right
from tests.services.baton_kit import Baton, run_baton
from tests.services.router_kit import activity, inquiry

PHONE = Contact(phone="+32470000000")
EMAIL = Contact(email="p1@example.com")
BOTH = Contact(phone=PHONE.phone, email="p1@example.com")
ORDERS = list(permutations(("first", "second", "reported")))


@pytest.fixture
async def baton(database: Database, embedded_bus: EmbeddedBus, tmp_path: Path) -> AsyncIterator[Baton]:
    async with run_baton(database, embedded_bus, tmp_path) as running:
        yield running


async def report(baton: Baton, order: tuple[str, ...], kind: str) -> None:
    """Two inquiries of the person and one activity under the second id, repeated, and read in this order."""
    at = datetime.now(UTC)
    first = inquiry(1, accepted_at=at, contact=PHONE)
    second = inquiry(2, accepted_at=at + timedelta(milliseconds=100), contact=BOTH)
    fact = activity(2, kind, accepted_at=at + timedelta(milliseconds=200), reason="no_budget")
    for name in order:
        if name == "reported":
            await services.publish(baton.bus, fact, fact)
        else:
            await baton.accept(*[{"first": first, "second": second}[name]] * 2)
        await baton.caught_up()


async def surviving(baton: Baton) -> str:
    """The id under which the person goes on."""
    [joined] = [event for event in await baton.wait_for(LeadMerged) if event.into is not None]
    return str(joined.into)


async def row(database: Database, lead_id: str) -> LeadRow:
    async with database.read() as tx:
        found = await queries.lead(tx, lead_id)
    assert found is not None
    return found


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
async def test_a_call_under_the_second_id_keeps_the_promise(baton: Baton, order: tuple[str, ...]) -> None:
    await report(baton, order, "call")
    lead_id = await surviving(baton)
    met = await baton.wait_for(WindowMet)
    assert lead_id in {event.lead_id for event in met}
    await baton.caught_up()
    assert (baton.of(WindowBreached), len(baton.of(LeadAssigned))) == ([], 1)
    await baton.balanced(received=2, assigned=1, merged=1)
    story = (await baton.client.get(f"/v1/leads/{lead_id}/timeline")).json()["items"]
    assert [item["type"] for item in story].count(ActivityRecorded.TYPE) == 1


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
@pytest.mark.parametrize("kind", ["rejected", "won"])
async def test_an_end_under_the_second_id_ends_the_lead_everywhere_once(
    baton: Baton, database: Database, order: tuple[str, ...], kind: str
) -> None:
    await report(baton, order, kind)
    lead_id = await surviving(baton)
    await baton.wait_for(WindowCancelled)
    await baton.caught_up()
    assert baton.of(WindowBreached) == []
    lead = await baton.lead(lead_id)
    assert lead["state"] == "closed"

    async def shown() -> str | None:
        rows = {each: await row(database, each) for each in ("ld_1", "ld_2")}
        found = {each: (shown.state, shown.ended_as) for each, shown in rows.items()}
        other = ({"ld_1", "ld_2"} - {lead_id}).pop()
        right = found[lead_id] == ("closed", kind) and found[other][0] == "merged"
        return None if right else f"{found}"

    await until_right(shown)


SPLITS = [
    order
    for order in permutations(("first", "second", "reported", "split"))
    if order.index("split") > max(order.index("first"), order.index("second"))
]


@pytest.mark.parametrize("order", SPLITS, ids=" ".join)
async def test_a_deal_won_under_an_id_that_is_split_is_of_that_lead_alone(
    baton: Baton, database: Database, order: tuple[str, ...]
) -> None:
    at = datetime.now(UTC)
    for name in order:
        if name == "reported":
            won = activity(2, "won", accepted_at=at + timedelta(milliseconds=200))
            await services.publish(baton.bus, won, won)
        elif name == "split":
            merged = next(event for event in await baton.wait_for(LeadMerged) if event.into is not None)
            why = {"reason": "a switchboard"}
            assert (await baton.client.post(f"/v1/leads/{merged.lead_id}/split", json=why)).status_code == 200
        else:
            person, contact = (1, PHONE) if name == "first" else (2, BOTH)
            await baton.accept(inquiry(person, accepted_at=at, contact=contact))
        await baton.caught_up()
    leads = {each: await baton.lead(each) for each in ("ld_1", "ld_2")}
    assert {each: lead["state"] for each, lead in leads.items()} == {"ld_1": "assigned", "ld_2": "closed"}
    shown = {each: await row(database, each) for each in leads}
    assert {each: (lead.state, lead.ended_as) for each, lead in shown.items()} == {
        "ld_1": ("assigned", None),
        "ld_2": ("closed", "won"),
    }
    assert (shown["ld_1"].email, shown["ld_2"].email) == (None, BOTH.email)
    await baton.balanced(received=2)
    for lead_id in leads:
        story = (await baton.client.get(f"/v1/leads/{lead_id}/timeline")).json()["items"]
        assert [item["type"] for item in story].count(LeadSplit.TYPE) == 1
        proofs = (await baton.client.get(f"/v1/leads/{lead_id}/proof")).json()["verdicts"]
        assert all(proof["follows"] for proof in proofs)


@pytest.mark.parametrize("order", [("linked", "reported"), ("reported", "linked")], ids=" ".join)
@pytest.mark.parametrize("under", [1, 2])
async def test_how_one_of_two_leads_ended_since_they_are_one_person_ends_both_whatever_is_read_first(
    baton: Baton, database: Database, order: tuple[str, ...], under: int
) -> None:
    linked_at = datetime.now(UTC) - timedelta(milliseconds=300)
    for number, contact in ((1, PHONE), (2, EMAIL)):
        early = linked_at - timedelta(milliseconds=300 - number)
        await baton.accept(inquiry(number, accepted_at=early, contact=contact))
        await baton.caught_up()
    link = inquiry(2, inquiry_id="linked", accepted_at=linked_at, contact=BOTH)
    end = activity(under, "won", accepted_at=linked_at + timedelta(milliseconds=100))
    for name in order:
        await (baton.accept(link) if name == "linked" else services.publish(baton.bus, end))
        await baton.caught_up()
    [merged] = [event for event in await baton.wait_for(LeadMerged) if event.into is not None]
    assert merged.was is not None
    assert merged.one_person_since == linked_at
    assert (await baton.lead(str(merged.into)))["state"] == "closed"

    async def shown() -> str | None:
        found = await row(database, str(merged.into))
        return None if (found.state, found.ended_as) == ("closed", "won") else f"{found}"

    await until_right(shown)
    async with database.read() as tx:
        running = "SELECT count(*) FROM sla_monitor_windows WHERE state IN ('open', 'breached')"
        assert (await tx.execute(sa.text(running))).scalar_one() == 0
