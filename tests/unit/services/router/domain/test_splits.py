"""Leads that someone split stay of two people, also under the ids of leads that they become part of later."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.router.domain.asked import apart_from
from services.router.domain.lead import Lead, ReportedEnd, followed_by
from services.router.domain.merging import merge, refuse_wrong_merge
from services.router.domain.proof import Inquiries, ReassignReason
from services.router.domain.routing_state import RoutingState
from services.router.domain.same_person import one_person
from services.router.domain.splitting import shared_out, split
from shared.domain.errors import Conflict
from shared.domain.lead import Contact
from tests.kit.events import activity
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


def test_each_of_two_people_has_the_consent_that_they_gave_or_withdrew_themselves() -> None:
    routing, later = RoutingState(), NOW + timedelta(hours=1)
    mine, theirs = lead(1), lead(2)
    into = merge(routing, theirs, mine, BY_HAND, NOW).lead
    withdrawn = ReportedEnd("ld_2", "consent_withdrawn", NOW, "withdrawn")
    known = replace(into, consent_at=later, withdrawn_at=NOW, ends=(withdrawn,))
    first, second = (inquiry(n, lead_id=f"ld_{n}", accepted_at=at) for n, at in ((1, NOW), (2, later)))
    parted = split(routing, routing.leads["ld_2"], known, Inquiries((second,), (first,)), BY_HAND, later)
    assert (parted.lead.consent_at, parted.lead.withdrawn_at) == (later, NOW)
    assert (routing.leads["ld_1"].consent_at, routing.leads["ld_1"].withdrawn_at) == (NOW, None)


def test_an_open_lead_does_not_go_on_when_the_person_has_withdrawn_consent_on_the_other() -> None:
    withdrawn = replace(lead(1), state="closed", rep=None, withdrawn_at=NOW + timedelta(hours=1))
    with pytest.raises(Conflict, match="Report that for lead ld_2 first"):
        refuse_wrong_merge(withdrawn, lead(2))
    ended = replace(lead(2), state="closed")
    refuse_wrong_merge(withdrawn, ended)
    assert merge(RoutingState(), withdrawn, ended, BY_HAND, NOW).lead.withdrawn_at == withdrawn.withdrawn_at


END_OF = {"ld_1": "won", "ld_2": "lost"}


@pytest.mark.parametrize("first", ["ld_1", "ld_2"])
def test_an_end_goes_with_the_id_under_which_it_was_reported_whichever_came_first(first: str) -> None:
    routing = RoutingState()
    into = merge(routing, lead(2), lead(1), BY_HAND, NOW).lead
    for minutes, under in enumerate((first, *({"ld_1", "ld_2"} - {first})), start=1):
        at = NOW + timedelta(minutes=minutes)
        into = followed_by(into, activity(under, END_OF[under], accepted_at=at), at) or into
    asked = (inquiry(n, lead_id=f"ld_{n}", accepted_at=NOW) for n in (1, 2))
    mine, theirs = asked
    split(routing, routing.leads["ld_2"], into, Inquiries((theirs,), (mine,)), BY_HAND, NOW + timedelta(hours=1))
    ends = {each: (routing.leads[each].state, routing.leads[each].outcome) for each in ("ld_1", "ld_2")}
    assert ends == {"ld_1": ("closed", "won"), "ld_2": ("closed", "lost")}


def test_nothing_of_a_person_who_was_split_off_before_comes_back() -> None:
    routing = RoutingState()
    asked = [inquiry(n, lead_id=f"ld_{n}", contact=Contact(email=f"p{n}@example.com")) for n in (1, 2, 3)]
    for number in (1, 2, 3):
        routing.save(lead(number))
    into = merge(routing, routing.leads["ld_3"], routing.leads["ld_1"], BY_HAND, NOW).lead
    assert shared_out(routing, routing.leads["ld_3"], asked) == Inquiries((asked[2],), (asked[0],))
    assert into.lead_id == "ld_1"
