"""Leads that someone split stay of two people, also under the ids of leads that they become part of later."""

from msgspec.structs import replace

from services.router.domain.asked import apart_from
from services.router.domain.lead import Lead
from services.router.domain.merging import merge
from services.router.domain.proof import ReassignReason
from services.router.domain.routing_state import RoutingState
from services.router.domain.same_person import one_person
from shared.domain.lead import Contact
from tests.unit.services.router.domain.test_decision import AGREED, NOW, SWITCHBOARD, decided, inquiry

BY_HAND = ReassignReason("same_person", by="mia", reason="one person")


def lead(number: int, *apart: tuple[str, str]) -> Lead:
    contact = Contact(email=f"p{number}@example.com", phone=SWITCHBOARD)
    verdict = decided(AGREED, inquiry(number, lead_id=f"ld_{number}", contact=contact))
    return replace(verdict.lead, apart=apart)


def test_two_that_were_split_stay_apart_under_the_leads_that_they_become_part_of() -> None:
    routing = RoutingState()
    one = merge(routing, lead(1, ("ld_1", "ld_2")), lead(3), BY_HAND, NOW).lead
    other = merge(routing, lead(2, ("ld_2", "ld_1")), lead(4), BY_HAND, NOW).lead
    assert one_person(Contact(phone=SWITCHBOARD), None, [one, other]) == ([], [one, other])
    assert one_person(Contact(email="p4@example.com", phone=SWITCHBOARD), None, [one, other]) == ([other], [one])
    again = merge(routing, one, other, BY_HAND, NOW).lead
    assert again.apart == ()
    assert apart_from((one, other)) == ()
