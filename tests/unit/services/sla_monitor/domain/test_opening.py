"""Which windows begin, for whom, and until when."""

from dataclasses import replace

import msgspec

from services.sla_monitor.domain.disputes import dispute, disputed, disputed_late
from services.sla_monitor.domain.opening import opened, parked, rescheduled
from services.sla_monitor.domain.window import INQUIRY, Fact, Window, starting
from shared.domain.agreement import Agreement, Duration, Queue, Segment
from shared.domain.conditions import Condition
from shared.domain.events import LeaveInterval, PromiseSegment, RepRef
from tests.kit.events import lead_rescheduled
from tests.unit.services.sla_monitor import window_states
from tests.unit.services.sla_monitor.window_states import (
    ATTEMPTS,
    DISPOSITION,
    FIRST_RESPONSE,
    OFFICE,
    TOLERANCE,
    agreement,
    assigned,
    at,
    fact,
)

DEAL = agreement(FIRST_RESPONSE, ATTEMPTS, DISPOSITION)


def windows(deal: Agreement = DEAL, generation: int = 1, rep: str = "ann", seconds: float = 0) -> list[Window]:
    who = RepRef(rep, f"{rep}@acme.example")
    return opened(assigned(generation=generation, rep=who, assigned_at=at(seconds)), deal, window_states.watch())


def test_an_owner_has_a_window_for_every_promise_of_sales() -> None:
    found = windows()
    assert [(each.promise, each.needed, each.kinds, each.due_at, each.side) for each in found] == [
        ("first_response", 1, ("call", "email"), at(900), "sales"),
        ("attempts", 3, ("call", "email"), at(900), "sales"),
        ("disposition", 1, ("accepted", "rejected"), at(3600), "sales"),
    ]
    again = windows(generation=2, rep="bob")
    assert len({each.window_id for each in (*found, *again)}) == 6
    assert windows() == found


def test_the_window_is_that_of_the_segment_which_the_router_stated() -> None:
    segments = (Segment(Duration(60), when=Condition("is", "contact.country", "BE")), Segment(Duration(120), 90))
    deal = agreement(replace(FIRST_RESPONSE, segments=(*segments, Segment(Duration(600)))), DISPOSITION)
    for number, due_at in ((1, at(60)), (2, at(120)), (3, at(600))):
        stated = (PromiseSegment("first_response", number),)
        first, second = opened(assigned(segments=stated), deal, window_states.watch())
        assert (first.due_at, first.segments, second.due_at) == (due_at, stated, at(3600))
    nothing = (PromiseSegment("first_response", 0),)
    assert [each.promise for each in opened(assigned(segments=nothing), deal, window_states.watch())] == ["disposition"]
    for score, due_at in ((90, at(120)), (89, at(600))):
        assert opened(assigned(score=score), deal, window_states.watch())[0].due_at == due_at


def test_a_deadline_that_leave_moves_stays_that_of_the_segment() -> None:
    by_country = Segment(Duration(60), when=Condition("is", "contact.country", "BE"))
    deal = agreement(replace(FIRST_RESPONSE, segments=(by_country, Segment(Duration(600)))))
    [window] = opened(assigned(segments=(PromiseSegment("first_response", 1),)), deal, window_states.watch())
    event = lead_rescheduled(owner_leave=(LeaveInterval(at(30), at(7200)),), changed_at=at(10))
    assert rescheduled(window, event, deal).due_at == at(7230)


def test_a_start_that_moves_back_shows_that_the_hand_off_was_late() -> None:
    long_before = at(-1 - window_states.PROMPTLY.seconds)
    first, second = windows()[0], windows(generation=2, rep="bob")[0]
    assert first.fault == "rep"
    assert starting(first, [Fact("inq_0", INQUIRY, at(-2))]).fault == "rep"
    assert starting(first, [Fact("inq_0", INQUIRY, long_before)]).fault == "pipeline"
    assert starting(second, [Fact("inq_0", INQUIRY, long_before)]).fault == "rep"
    assert starting(second, [Fact("inq_0", INQUIRY, long_before)]).ends_from_at == long_before
    came_back = msgspec.structs.replace(second, cycle=2)
    assert starting(came_back, [Fact("inq_0", INQUIRY, long_before)]) is came_back


def test_the_owner_of_a_queue_has_to_find_someone_for_a_lead_that_waits_in_it() -> None:
    waits = window_states.waiting()
    assert (waits.promise, waits.side, waits.owner, waits.generation) == ("triage", "operations", "mia", 0)
    assert (waits.opened_at, waits.due_at, waits.fault) == (at(0), at(900), "rep")
    assert window_states.waiting(window_states.parked(lead_version=2)).window_id != waits.window_id
    assert window_states.waiting(known_at=at(5)).window_id == waits.window_id


def test_an_owner_of_a_queue_to_which_a_lead_returns_had_the_time_since_it_was_first_in_it() -> None:
    deal = replace(DEAL, queues={**DEAL.queues, "other": Queue("other", "bob")})
    earlier: list[Window] = []
    for seconds, queue in ((0, "triage"), (600, "other"), (800, "triage")):
        event = window_states.parked(queue=queue, lead_version=seconds, decided_at=at(seconds), parked_at=at(0))
        found = parked(event, deal, window_states.watch(), earlier)
        assert found is not None
        earlier.append(found)
    assert [(each.owner, each.due_at) for each in earlier] == [("mia", at(900)), ("bob", at(1500)), ("mia", at(900))]
    later = window_states.parked(lead_version=9, decided_at=at(850), parked_at=at(850))
    found = parked(later, deal, window_states.watch(), earlier)
    assert found is not None
    assert found.due_at == at(1750)


def test_without_a_promised_triage_or_a_known_queue_nobody_owes_it() -> None:
    assert parked(window_states.parked(), replace(DEAL, operations={}), window_states.watch()) is None
    assert parked(window_states.parked(queue="elsewhere"), DEAL, window_states.watch()) is None


def test_a_dispute_is_answered_by_the_last_rep_who_had_the_lead() -> None:
    held = [*windows(), *windows(generation=2, rep="bob", seconds=100), *windows(generation=3, rep="mia", seconds=900)]
    about = fact("disputed", 500)
    holder = disputed([*held, window_states.waiting()], about)
    assert holder is not None
    assert (holder.owner, holder.generation) == ("bob", 2)
    asked = dispute(holder, about, DEAL, window_states.watch())
    assert asked is not None
    assert (asked.promise, asked.side, asked.owner, asked.generation) == ("disputes", "operations", "bob", 0)
    assert (asked.kinds, asked.opened_at, asked.due_at) == (("accepted", "rejected"), at(500), at(1400))


def test_a_dispute_that_comes_later_than_is_agreed_is_late_by_the_days_of_the_office() -> None:
    deal = replace(agreement(), calendars={"office": OFFICE}, dispute_within=Duration(0, True, "1 business day", 1))
    rejected, earlier = fact("rejected", 3600), fact("rejected", 60)
    for seconds, late in ((3600 + 86_400, False), (3605 + 86_400, True)):
        disputed = fact("disputed", seconds)
        assert disputed_late(disputed, [earlier, rejected, disputed], deal, TOLERANCE) is late
    assert not disputed_late(fact("disputed", 10**7), [], deal, TOLERANCE)
    assert not disputed_late(fact("disputed", 10**7), [rejected], agreement(), TOLERANCE)


def test_a_dispute_about_a_lead_that_nobody_had_or_without_a_promise_opens_nothing() -> None:
    about = fact("disputed", 500)
    assert disputed([window_states.waiting()], about) is None
    assert dispute(windows()[0], about, replace(DEAL, operations={}), window_states.watch()) is None
