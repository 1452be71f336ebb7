"""What is shown of a lead."""

from msgspec.structs import replace

from services.scoreboard.domain.leads import LeadRow, act, inquire, reschedule, settle
from shared.domain.events import LeadRescheduled
from shared.domain.lead import Contact
from tests.kit.events import (
    activity,
    after,
    assigned,
    inquiry,
    lead_rescheduled,
    merged,
    parked,
    reassigned,
    rejected,
)

LEAD = LeadRow(lead_id="ld_1")


def test_a_lead_shows_its_latest_inquiry_and_keeps_what_is_known() -> None:
    found = inquire(inquire(LEAD, inquiry()), inquiry(number=2, accepted_at=after(9), contact=Contact(phone="+32470")))
    assert (found.name, found.email, found.phone, found.company) == (
        "Jo Peeters",
        "jo@example.com",
        "+32470",
        "Example NV",
    )
    assert inquire(found, inquiry(source="old")).source == "website"


def test_an_assignment_sets_the_owner_and_an_older_one_does_not() -> None:
    moved = settle(settle(LEAD, assigned()), reassigned())
    assert (moved.state, moved.owner, moved.respond_by) == ("assigned", "bob", after(15))
    assert settle(moved, assigned()).owner == "bob"


def test_the_deadline_follows_the_owners_leave_in_any_order() -> None:
    moved = lead_rescheduled()
    for events in ((assigned(), moved), (moved, assigned())):
        found = LEAD
        for event in events:
            found = reschedule(found, event) if isinstance(event, LeadRescheduled) else settle(found, event)
        assert (found.owner, found.respond_by) == ("ann", after(1455))
    assert reschedule(settle(found, reassigned(lead_version=3)), moved).respond_by == after(15)
    assert reschedule(settle(found, parked(lead_version=3)), moved).respond_by is None


def test_a_verdict_without_an_owner_takes_the_owner_away() -> None:
    found = settle(settle(LEAD, assigned()), parked(lead_version=2))
    assert (found.state, found.owner, found.reason) == ("parked", None, "nobody_available")


def test_what_rejects_only_an_inquiry_leaves_the_lead_as_it_was() -> None:
    owned = settle(inquire(LEAD, inquiry()), assigned())
    tried = settle(owned, rejected(number=2, lead_version=2, stays="assigned"))
    assert replace(tried, version=owned.version) == owned
    other = Contact(email="jo@example.com", first_name="Tester")
    assert inquire(owned, inquiry(number=2, accepted_at=after(9), contact=other, test=True)) == owned
    assert inquire(LEAD, inquiry(contact=other, test=True)).name == "Tester"


def test_a_merged_inquiry_leaves_the_lead_as_it_was() -> None:
    assert settle(settle(LEAD, assigned()), merged()).state == "assigned"
    assert settle(settle(LEAD, rejected()), merged(rep=None)).state == "rejected"
    assert settle(LEAD, merged()).owner == "ann"


def test_sales_moves_the_stage_and_a_call_does_not() -> None:
    assert act(LEAD, activity(kind="accepted")).sales_stage == "sal"
    assert act(LEAD, activity(kind="stage", stage="sql")).sales_stage == "sql"
    assert act(LEAD, activity()).sales_stage is None
