"""Orphans expire beyond a count and an age, and are none any more once the lead is known."""

from datetime import timedelta

from services.scoreboard.domain import leads
from services.scoreboard.domain.counters import ALL, EXPIRED_ORPHANS, ORPHANS
from services.scoreboard.domain.leads import LeadRow
from services.scoreboard.domain.orphans import OrphanBounds, await_inquiry, expire, found
from tests.kit.events import activity, after, inquiry

BOUNDS = OrphanBounds(count=3, age=timedelta(minutes=30))
LEAD = LeadRow(lead_id="ld_1")


def test_those_that_waited_longest_expire_when_too_many_wait_and_each_when_it_waited_too_long() -> None:
    since = [after(minute) for minute in (0, 10, 20, 30, 40)]
    over = [BOUNDS.expired(at, place=n, waiting=5, now=after(41)) for n, at in enumerate(since)]
    assert over == [True, True, False, False, False]
    assert BOUNDS.expired(after(10), place=0, waiting=1, now=after(40)) is False
    assert BOUNDS.expired(after(10), place=0, waiting=1, now=after(40.01)) is True


def test_an_orphan_counts_as_waiting_then_as_expired_and_not_once_its_inquiry_came() -> None:
    lead = LEAD
    for minute in (9, 7):
        lead = await_inquiry(lead, activity("ld_1", accepted_at=after(minute)))
    assert (lead.orphan_activities, lead.orphan_since, [*leads.counts_for(lead)]) == (2, after(7), [(ALL, ORPHANS)])
    lead = expire(lead, after(60))
    assert [*leads.counts_for(expire(lead, after(90)))] == [(ALL, EXPIRED_ORPHANS)]
    assert expire(lead, after(90)).orphan_expired_at == after(60)
    known = found(leads.inquire(lead, inquiry("ld_1")))
    assert (known.orphan_activities, known.orphan_since, [*leads.counts_for(known)]) == (0, None, [])
    assert await_inquiry(known, activity("ld_1")) == known
    assert expire(known, after(90)) == known
