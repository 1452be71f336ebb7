"""What keeps a promise and what ends it, and that the monitor and a replay come to the same."""

from datetime import datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.domain.decision import decide
from services.router.domain.routing_state import RoutingState
from services.router.domain.simulation_promises import SalesFact, due_promises, missed_of
from services.sla_monitor.domain.ladder import levels
from services.sla_monitor.domain.opening import opened
from services.sla_monitor.domain.transitions import apply_fact, open_window, settle, supersede
from services.sla_monitor.domain.window import Fact, Window
from services.sla_monitor.domain.window_state import WindowState
from shared.domain.agreement import Duration, Promise
from shared.domain.settlement import Terms, settled_at
from tests.kit import agreements, events
from tests.unit.services.sla_monitor.window_states import (
    ATTEMPTS,
    DISPOSITION,
    TOLERANCE,
    agreement,
    assigned,
    at,
    fact,
    watch,
)

ANSWERS = Promise("answer", Duration(900), ("call", "rejected"), "response", "wall")
CONNECTED = Promise(
    "connected", Duration(900), ("call",), "response", "wall", outcomes={"call": ("connected", "voicemail")}, by="owner"
)
DEAL = agreement(
    Promise("first_response", Duration(900), ("call", "email"), "response", "wall"),
    ATTEMPTS,
    DISPOSITION,
    ANSWERS,
    CONNECTED,
)
LEAD = msgspec.structs.replace(
    decide(RoutingState(), agreements.agreement(), events.inquiry(), at(0)).lead,
    rep="ann",
    score=65,
    assigned_at=at(0),
    received_at=at(-5),
)
LONG_AFTER = 100_000
OUTCOMES = (None, "connected", "no_answer", "bounced")
KINDS = ("call", "email", "meeting", "accepted", "declined", "note", "rejected", "won", "consent_withdrawn")
seconds = st.one_of(st.integers(-10, 5_000), st.sampled_from([-3, -2, 0, 900, 902, 903, 3602, 3603]))


def terms(*kinds: str, needed: int = 1, generation: int = 1) -> Terms:
    return Terms(kinds, needed, at(0), generation, TOLERANCE)


@pytest.mark.parametrize(
    ("facts", "settled"),
    [
        ([], None),
        ([fact("call", 20)], 20),
        ([fact("rejected", 10), fact("call", 20)], 10),
        ([fact("call", 10), fact("rejected", 20)], 10),
        ([fact("call", 20), fact("rejected", 10)], 10),
        ([fact("note", 10)], None),
        ([fact("call", -2)], -2),
        ([fact("call", -3)], None),
    ],
)
def test_a_promise_is_settled_by_what_keeps_or_ends_it_first(facts: list[Fact], settled: float | None) -> None:
    assert settled_at(terms("call"), facts) == (None if settled is None else at(settled))


def test_several_facts_are_needed_unless_one_is_decisive() -> None:
    twice = [fact("call", 10), fact("call", 20)]
    assert settled_at(terms("call", "meeting", needed=3), twice) is None
    assert settled_at(terms("call", "meeting", needed=3), [*twice, fact("call", 30)]) == at(30)
    assert settled_at(terms("call", "meeting", needed=3), [*twice, fact("meeting", 40)]) == at(40)


@pytest.mark.parametrize(
    ("kind", "outcome", "listed", "kept"),
    [
        ("email", "bounced", {}, False),
        ("call", "no_answer", {}, True),
        ("call", "no_answer", {"call": ("connected", "voicemail")}, False),
        ("call", "voicemail", {"call": ("connected", "voicemail")}, True),
        ("call", None, {"call": ("connected", "voicemail")}, True),
        ("email", "bounced", {"call": ("connected",)}, False),
        ("call", "bounced", {"call": ("connected", "bounced")}, True),
    ],
)
def test_a_promise_says_which_outcomes_keep_it_and_a_bounce_does_only_if_listed(
    kind: str, outcome: str | None, listed: dict[str, tuple[str, ...]], kept: bool
) -> None:
    asked = msgspec.structs.replace(terms("call", "email"), outcomes=listed)
    assert (settled_at(asked, [Fact("ac", kind, at(10), outcome)]) == at(10)) == kept


def test_attempts_end_when_the_buyer_was_reached() -> None:
    tried = [fact("call", 10, outcome="no_answer"), fact("call", 20, outcome="connected")]
    assert settled_at(terms("call", needed=6), tried[:1]) is None
    assert settled_at(terms("call", needed=6), tried) == at(20)
    assert settled_at(terms("email", needed=6), tried) is None


def test_a_promise_by_the_owner_is_not_kept_by_a_colleague_but_the_buyer_no_longer_waits_for_a_late_answer() -> None:
    asked = msgspec.structs.replace(terms("call"), by="ann", by_until_at=at(900))
    assert settled_at(asked, [fact("call", 10, by="bob")]) is None
    assert settled_at(asked, [fact("call", 10, by="ann")]) == at(10)
    assert settled_at(asked, [fact("call", 10)]) == at(10)
    assert settled_at(asked, [fact("call", 901, by="bob")]) == at(901)


def test_an_end_since_the_start_of_the_cycle_settles_what_a_later_owner_owes() -> None:
    later = msgspec.structs.replace(terms("call", generation=2), ends_from_at=at(-10))
    assert settled_at(later, [fact("rejected", -11)]) is None
    assert settled_at(later, [fact("rejected", -10)]) == at(-10)
    assert settled_at(later, [fact("call", -10), fact("call", -1)]) == at(-1)


@pytest.mark.parametrize("facts", [[("call", 10), ("won", 20)], [("won", 10), ("call", 20)]])
@pytest.mark.parametrize("arrival", [1, -1])
def test_an_answer_and_an_end_in_time_are_no_breach_in_either_order(facts: list[tuple[str, int]], arrival: int) -> None:
    """Known at once the answer wins; of two that come one after the other the first to come decides."""
    known = [fact(*each) for each in facts]
    state = ended(window("first_response"), known[::arrival], early=0)
    first = known[::arrival][0].kind
    assert state.window.state == ("met" if first == "call" else "cancelled")
    assert ended(window("first_response"), known, early=2).window.state == "met"
    assert "first_response" not in missed(known)


def window(promise: str, generation: int = 1) -> Window:
    event = assigned(received_at=at(-5), score=65, generation=generation)
    return next(each for each in opened(event, DEAL, watch()) if each.promise == promise)


def ended(watched: Window, facts: list[Fact], *, early: int, ended_at: datetime | None = None) -> WindowState:
    """The window when all is known: the first `early` facts came before it, the others one after the other."""
    ladder = levels(DEAL, watched)
    state = open_window(watched, facts[:early], ladder)
    for each in facts[early:]:
        state = apply_fact(state, each, each.accepted_at)
    if ended_at is not None:
        state = supersede(state, ended_at, max(ended_at, at(0)))
    return settle(state, facts, ladder, DEAL, now=at(LONG_AFTER), watermark=at(LONG_AFTER))


def missed(facts: list[Fact], *, generation: int = 1, ended_at: datetime | None = None) -> set[str]:
    """What the same lead's owner missed according to the replay."""
    found = [SalesFact(each.kind, each.accepted_at, each.outcome, each.by) for each in facts]
    lead = msgspec.structs.replace(LEAD, generation=generation)
    return set(
        missed_of(
            due_promises([(DEAL, lead)], found, tolerance=TOLERANCE, ended_at=ended_at, now=at(LONG_AFTER)), found
        )
    )


@settings(max_examples=150)
@given(
    activities=st.lists(
        st.tuples(st.sampled_from(KINDS), seconds, st.sampled_from(OUTCOMES), st.sampled_from((None, "ann", "bob"))),
        max_size=7,
        unique_by=lambda each: each[1],
    ),
    early=st.integers(0, 7),
    generation=st.integers(1, 2),
    ended_s=st.one_of(st.none(), seconds.filter(lambda second: second >= 0)),
)
def test_a_replay_misses_the_promises_whose_windows_the_monitor_breaches(
    activities: list[tuple[str, int, str | None, str | None]], early: int, generation: int, ended_s: int | None
) -> None:
    facts = [Fact(f"{kind}@{second}", kind, at(second), how, by) for kind, second, how, by in activities]
    ended_at = None if ended_s is None else at(ended_s)
    breached = {
        name
        for name in DEAL.promises
        if ended(window(name, generation), facts, early=early, ended_at=ended_at).window.state == "breached"
    }
    assert breached == missed(facts, generation=generation, ended_at=ended_at)
