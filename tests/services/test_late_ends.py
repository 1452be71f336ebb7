"""An end of a lead that is read after the inquiry that came after it: router, monitor and scoreboard come to what they
would have come to in the order of time, and so does a simulation.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db import schema
from shared.db.engine import Database
from shared.domain.events import InquiryReceived, LeadAssigned, LeadMerged, LeadRejected, WindowCancelled, WindowOpened
from shared.domain.lead import Consent
from tests.kit import services
from tests.kit.waiting import until_right
from tests.services.baton_kit import Baton, run_baton
from tests.services.replayed_kit import differences
from tests.services.router_kit import activity, inquiry
from tests.services.simulation_kit import SPRING, MovedClock, parsed, past, version
from tests.services.test_one_person import row


@pytest.fixture
async def baton(database: Database, embedded_bus: EmbeddedBus, tmp_path: Path) -> AsyncIterator[Baton]:
    async with run_baton(database, embedded_bus, tmp_path) as running:
        yield running


@pytest.mark.parametrize("kind", ["lost", "consent_withdrawn"])
async def test_an_inquiry_after_an_end_has_an_owner_and_promises_whichever_is_read_first(
    baton: Baton, database: Database, kind: str
) -> None:
    at = datetime.now(UTC)
    again = inquiry(1, inquiry_id="again", accepted_at=at + timedelta(milliseconds=200))
    end = activity(1, kind, accepted_at=at + timedelta(milliseconds=100))
    for record in (inquiry(1, accepted_at=at), again, end):
        await (baton.accept(record) if isinstance(record, InquiryReceived) else services.publish(baton.bus, record))
        await baton.caught_up()
    assert len(baton.of(LeadMerged)) == 1
    first, second = await baton.wait_for(LeadAssigned, 2)
    assert (first.cycle, second.cycle, second.inquiry_id, second.received_at) == (1, 2, "again", again.accepted_at)
    [cancelled] = await baton.wait_for(WindowCancelled)
    assert cancelled.generation == 1
    assert (await baton.wait_for(WindowOpened, 2))[-1].generation == 2
    lead: dict[str, Any] = await baton.lead()
    assert (lead["state"], lead["owner"]["rep"]) == ("assigned", second.rep.id)
    assert [each["inquiry_id"] for each in lead["inquiries"]] == [first.inquiry_id, "again"]
    await baton.balanced(received=2, assigned=2, merged=0)

    async def shown() -> str | None:
        found = await row(database, "ld_1")
        right = (found.state, found.owner, found.ended_as) == ("assigned", second.rep.id, None)
        return None if right else f"{found}"

    await until_right(shown)


async def test_a_withdrawal_from_before_the_first_inquiry_ends_the_lead_everywhere_whichever_is_read_first(
    baton: Baton, database: Database
) -> None:
    at = datetime.now(UTC)
    agreed = Consent(basis="opt_in", given_at=at - timedelta(days=1))
    asked = [inquiry(each, accepted_at=at + timedelta(seconds=3), consent=agreed) for each in (1, 2)]
    withdrawn = [activity(each, "consent_withdrawn", accepted_at=at) for each in (1, 2)]
    for record in (withdrawn[0], asked[0], asked[1], withdrawn[1]):
        await (baton.accept(record) if isinstance(record, InquiryReceived) else services.publish(baton.bus, record))
        await baton.caught_up()
    [rejected] = await baton.wait_for(LeadRejected)
    assert (rejected.lead_id, rejected.reason) == ("ld_1", "consent: withdrawn, and none has been given since")
    [cancelled] = await baton.wait_for(WindowCancelled)
    assert (cancelled.lead_id, cancelled.reason) == ("ld_2", "consent withdrawn")

    async def shown() -> str | None:
        found = [await row(database, f"ld_{each}") for each in (1, 2)]
        right = [(each.state, each.ended_as) for each in found] == [("rejected", None), ("closed", "consent_withdrawn")]
        return None if right else f"{found}"

    await until_right(shown)


async def test_a_simulation_over_an_end_that_was_read_late_gives_no_difference(
    embedded_bus: EmbeddedBus, tmp_path: Path
) -> None:
    clock = MovedClock(SPRING + timedelta(hours=2))
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", clock)
    await schema.migrate(database)
    async with past(tmp_path, database, embedded_bus, clock, version()) as lived:
        agreed = Consent(basis="opt_in", given_at=clock.at - timedelta(days=1))
        await lived.act("p4", "consent_withdrawn")
        await lived.later(minutes=1)
        for lead_id in ("p1", "p2", "p3"):
            await lived.inquire(lead_id)
        for lead_id in ("p4", "p5"):
            await lived.inquire(lead_id, consent=agreed)
        await lived.act("p5", "consent_withdrawn", accepted_at=clock.at - timedelta(minutes=1))
        await lived.later(minutes=5)
        ended_at = clock.at
        await lived.later(minutes=1)
        await lived.inquire("p1")
        await lived.inquire("p2", consent=None)
        await lived.inquire("p3", accepted_at=ended_at - timedelta(minutes=1))
        await lived.later(minutes=1)
        for lead_id, kind in (("p1", "lost"), ("p2", "consent_withdrawn"), ("p3", "won")):
            await lived.act(lead_id, kind, accepted_at=ended_at)
        await lived.later(hours=3)
        leads = await lived.leads()
        assert {lead_id: (lead.state, lead.cycle) for lead_id, lead in leads.items()} == {
            "p1": ("assigned", 2),
            "p2": ("closed", 1),
            "p3": ("closed", 1),
            "p4": ("rejected", 1),
            "p5": ("closed", 1),
        }
        assert (await differences(lived))[1] == {}
        assert (await differences(lived, draft=parsed(version(7))))[1] == {}
    await database.close()
