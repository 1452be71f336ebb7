"""How a lead ends, waits, is turned down or goes on as another one, in whatever order the events arrive."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from services.scoreboard.domain.counters import ALL
from services.scoreboard.domain.leads import LeadRow, act, clause_of, close, counts_for, inherit, join, settle
from shared.domain.events import ActivityRecorded, LeadClosed, RepRef
from tests.kit.events import activity, after, assigned, merged, parked, reassigned, rejected

LEAD = LeadRow(lead_id="ld_1")


def after_events(events: Iterable[Any], lead: LeadRow = LEAD) -> LeadRow:
    """The lead after these events."""
    for event in events:
        lead = act(lead, event) if isinstance(event, ActivityRecorded) else settle(lead, event)
    return lead


def counts(lead: LeadRow) -> list[str]:
    """The names of the counters it is in."""
    found = Counter(counts_for(lead))
    assert all(period == ALL for period, _ in found)
    return [name for _, name in found]


REFUSED = activity(kind="rejected", activity_id="no", reason="no_budget", outcome=None, text="next year")
"""Five minutes after the inquiry."""


def test_a_parked_lead_is_counted_in_its_queue_until_it_is_drained() -> None:
    waits = after_events([parked()])
    assert (waits.queue, waits.settled_at, counts(waits)) == ("triage", after(0.1), ["waits in triage"])
    drained = after_events([assigned(lead_version=2, because="drained", assigned_at=after(9))], waits)
    assert (drained.state, drained.queue, drained.reason, counts(drained)) == ("assigned", None, None, [])


def test_a_rejected_lead_is_counted_under_the_clause_it_failed() -> None:
    lead = after_events([rejected(reason="score: 35 points, the agreement asks for 60")])
    assert counts(lead) == ["rejected for score: the agreement asks for 60"]
    assert lead.reason == "score: 35 points, the agreement asks for 60"


@pytest.mark.parametrize(
    ("reason", "clause"),
    [
        ("excluded: student", "excluded: student"),
        ("minimum data: contact.email is missing", "minimum data: contact.email is missing"),
        ("consent: bought, or not, the agreement asks for opt_in", "consent: the agreement asks for opt_in"),
        ("score: -5 points, the agreement asks for 60", "score: the agreement asks for 60"),
        ("a test: valid, rule 'large' would send it to strategic", "a test"),
        ("student", "student"),
    ],
)
def test_a_clause_is_the_reason_without_what_differs_from_lead_to_lead(reason: str, clause: str) -> None:
    assert clause_of(reason) == clause


def test_what_sales_rejects_is_closed_with_its_reason_in_either_order() -> None:
    for story in permutations([assigned(), reassigned(), REFUSED]):
        if story.index(assigned()) < story.index(reassigned()):
            lead = after_events(story)
            assert (lead.state, lead.owner, lead.respond_by) == ("closed", "bob", None)
            assert (lead.ended_as, lead.ended_by, lead.ended_because) == ("rejected", "ann", "no_budget")
            assert counts(lead) == ["refused by sales for no_budget"]


def test_a_rejection_without_a_reason_says_so_and_a_won_lead_is_no_rejection() -> None:
    lead = after_events([assigned(), activity(kind="rejected", outcome=None)])
    assert counts(lead) == ["refused by sales for no reason given"]
    won = after_events([assigned(), activity(kind="won", outcome=None)])
    assert (won.state, won.sales_stage, counts(won)) == ("closed", "customer", [])


def test_a_lead_that_comes_back_is_no_longer_closed_in_any_order() -> None:
    again = assigned(number=2, lead_version=3, cycle=2, assigned_at=after(60), received_at=after(59))
    for story in ([assigned(), REFUSED, again], [REFUSED, assigned(), again], [assigned(), again, REFUSED]):
        lead = after_events(story)
        assert (lead.state, lead.ended_as, lead.sales_stage, counts(lead)) == ("assigned", None, None, [])


def test_an_end_that_was_recorded_while_the_next_inquiry_was_on_its_way_does_not_end_the_next_cycle() -> None:
    again = assigned(number=2, lead_version=3, cycle=2, assigned_at=after(6), received_at=after(4))
    assert after_events([assigned(), REFUSED, again]).state == "assigned"


def test_a_parked_lead_that_sales_ended_waits_no_longer() -> None:
    lead = after_events([parked(), activity(kind="lost", outcome=None)])
    assert (lead.state, lead.queue, counts(lead)) == ("closed", None, [])


def test_a_lead_that_was_given_back_and_parked_can_still_be_ended_by_what_came_before() -> None:
    lead = after_events([assigned(), parked(lead_version=2, decided_at=after(6)), REFUSED])
    assert lead.state == "closed"


def test_a_lead_that_goes_on_as_another_one_stays_so() -> None:
    gone = after_events([assigned(), merged(into="ld_9", lead_version=2, number=1)])
    assert (gone.state, gone.merged_into, gone.owner, counts(gone)) == ("merged", "ld_9", None, [])
    assert after_events([rejected(lead_version=3), REFUSED], gone).state == "merged"
    assert after_events([parked()], join(LEAD, "ld_9", after(1))).state == "merged"


def test_a_lead_that_another_one_took_over_leaves_its_list() -> None:
    assert counts(join(after_events([rejected()]), "ld_9", after(1))) == []
    assert join(after_events([merged(into="ld_8")]), "ld_9", after(1)).merged_into == "ld_8"


WON = activity(kind="won", activity_id="won", outcome=None, accepted_at=after(5))
LINK = after_events([merged(into="ld_9", lead_version=1, decided_at=after(3))])
ENDED = after_events([assigned(), merged(into="ld_9", lead_version=2, number=1, decided_at=after(3))])
HEIR = after_events([assigned("ld_9", assigned_at=after(1))], LeadRow(lead_id="ld_9"))


def test_what_is_reported_under_an_id_that_ended_counts_for_the_lead_that_goes_on() -> None:
    for ended in (LINK, ENDED):
        heir = inherit(HEIR, act(ended, WON))
        assert (heir.state, heir.ended_as, heir.sales_stage) == ("closed", "won", "customer")
        assert inherit(heir, act(ended, WON)) == heir


def test_how_a_lead_had_ended_before_it_became_part_of_another_does_not_end_that_one() -> None:
    before = activity(kind="rejected", outcome=None, accepted_at=after(2))
    assert inherit(HEIR, act(ENDED, before)) == HEIR
    assert inherit(HEIR, act(LINK, before)).ended_as == "rejected"


def test_until_it_is_known_whether_an_id_was_a_lead_nothing_from_before_it_ended_counts() -> None:
    before = activity(kind="rejected", outcome=None, accepted_at=after(2))
    unread = act(join(LEAD, "ld_9", after(3)), before)
    assert inherit(HEIR, unread) == HEIR
    assert inherit(HEIR, settle(unread, merged(into="ld_9", lead_version=1))).ended_as == "rejected"
    assert inherit(HEIR, settle(unread, assigned())) == HEIR


def test_what_is_reported_under_an_id_that_ended_does_not_take_back_what_came_later() -> None:
    heir = act(HEIR, activity("ld_9", kind="lost", outcome=None, accepted_at=after(6)))
    assert inherit(heir, act(LINK, WON)) == heir


def test_a_lead_whose_consent_was_withdrawn_is_closed_in_either_order() -> None:
    for story in permutations([parked(), activity(kind="consent_withdrawn", outcome=None)]):
        lead = after_events(story)
        assert (lead.state, lead.ended_as, lead.queue, counts(lead)) == ("closed", "consent_withdrawn", None, [])


@pytest.mark.parametrize("minutes", [6, 8])
def test_how_sales_ended_a_lead_stays_its_end_when_the_person_withdraws_consent_in_any_order(minutes: int) -> None:
    won = activity(kind="won", activity_id="won", outcome=None, accepted_at=after(7))
    withdrawn = activity(kind="consent_withdrawn", activity_id="no", outcome=None, accepted_at=after(minutes))
    for story in permutations([assigned(), won, withdrawn]):
        lead = after_events(story)
        assert (lead.state, lead.ended_as, lead.ended_at, lead.reached) == ("closed", "won", after(7), "customer")


def test_a_withdrawal_from_before_the_lead_closes_it_when_the_router_says_so() -> None:
    early = activity(kind="consent_withdrawn", outcome=None, accepted_at=after(-10))
    closed = LeadClosed(
        lead_id="ld_1",
        lead_version=2,
        inquiry_id="inq_1",
        rep="ann",
        outcome="consent_withdrawn",
        reason="consent withdrawn by ann",
        closed_at=after(-10),
    )
    for story in permutations([assigned(), early]):
        lead = close(after_events(story), closed)
        assert (lead.state, lead.ended_as, lead.ended_at, lead.owner) == (
            "closed",
            "consent_withdrawn",
            after(-10),
            "ann",
        )


def test_the_highest_stage_of_a_cycle_stays_in_any_order() -> None:
    facts = [activity(kind=kind, accepted_at=after(n)) for n, kind in enumerate(("opportunity", "accepted", "call"), 5)]
    for story in permutations([assigned(), *facts]):
        assert after_events(story).reached == "opportunity"
    won = activity(kind="won", accepted_at=after(9))
    assert after_events([assigned(), *facts, won]).reached == "customer"
    lost = activity(kind="lost", accepted_at=after(9))
    assert after_events([assigned(), *facts, lost]).reached == "opportunity"
    again = assigned(number=2, lead_version=3, cycle=2, assigned_at=after(60), received_at=after(59))
    next_one = activity(kind="accepted", accepted_at=after(61))
    assert after_events([assigned(), *facts, lost, again]).reached == "mql"
    assert after_events([*facts, lost, next_one, assigned(), again]).reached == "sal"


def test_what_is_reported_about_a_rejected_lead_gives_it_no_stage() -> None:
    for story in permutations([rejected(), activity(kind="opportunity", accepted_at=after(9))]):
        assert after_events(story).reached == "inquiry"
    assert after_events([assigned(), activity(kind="stage", stage="closedwon")]).reached == "mql"


REOPENED = reassigned(
    lead_version=3, because="reopened", rep=RepRef("ann", "ann@acme.example"), stage="sal",
    assigned_at=after(9), previous_ended_at=after(9) - timedelta(microseconds=1),
)  # fmt: skip


def test_a_lead_that_was_accepted_after_its_rejection_is_open_again_in_any_order() -> None:
    accepted = activity(kind="accepted", activity_id="yes", outcome=None, accepted_at=after(9))
    between = activity(kind="lost", activity_id="lost", outcome=None, accepted_at=after(7))
    for story in permutations([assigned(), REFUSED, between, accepted, REOPENED]):
        if story.index(assigned()) < story.index(REOPENED):
            lead = after_events(story)
            assert (lead.state, lead.owner, lead.ended_as, lead.reached, counts(lead)) == (
                "assigned", "ann", None, "sal", [],
            )  # fmt: skip
            assert after_events([REOPENED, REFUSED], lead) == lead


def test_a_reopened_lead_that_moves_or_waits_stays_open_and_ends_by_what_comes_later() -> None:
    since: dict[str, Any] = {"lead_version": 4, "previous_ended_at": REOPENED.previous_ended_at}
    for event in (parked(decided_at=after(9.1), **since), reassigned(assigned_at=after(20), **since)):
        for story in permutations([REFUSED, REOPENED, event]):
            if story.index(REOPENED) < story.index(event):
                assert after_events([assigned(), *story]).state == event.TYPE.split(".")[2].removeprefix("re")
        lost = activity(kind="lost", activity_id="lost", outcome=None, accepted_at=after(30))
        assert after_events([assigned(), REOPENED, event, REFUSED, lost]).ended_as == "lost"


def test_an_inquiry_that_joins_a_lead_shows_the_score_that_it_has_then() -> None:
    waits = after_events([parked(score=0), merged(lead_version=2, rep=None, score=40)])
    assert (waits.state, waits.score) == ("parked", 40)
    rescored = reassigned(lead_version=3, because="rescored", score=40, respond_by=after(75), assigned_at=after(60))
    lead = after_events([assigned(score=0), merged(lead_version=2, rep="ann", score=40), rescored])
    assert (lead.state, lead.score, lead.respond_by) == ("assigned", 40, after(75))
