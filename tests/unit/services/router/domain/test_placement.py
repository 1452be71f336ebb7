"""Where a lead goes: owners, absences in business time, members who fit, the one who holds the least."""

import doctest
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain import assignment
from services.router.domain.accounts import AccountKeys, Accounts, Owned, keys_of, owns
from services.router.domain.assignment import Turns, take_least_open
from services.router.domain.availability import Hold, Leave, RepState, free_at, why_not, with_one_less, with_one_more
from services.router.domain.decision import decide
from services.router.domain.formats import FORMAT, OLDEST_FORMAT
from services.router.domain.lead import Lead
from services.router.domain.placement import Placement, place
from services.router.domain.proof import Proof
from services.router.domain.rederivation import differences
from services.router.domain.routing import Routing
from services.router.domain.routing_state import Owner, RoutingState
from shared.domain.agreement import Agreement, Duration, Only, Person, Pool, Route
from shared.domain.calendar import Calendar
from shared.domain.conditions import DecisionFacts
from shared.domain.events import InquiryReceived
from shared.domain.lead import Company, Consent, Contact
from tests.kit.agreements import agreement
from tests.unit.services.router.recorded_router import RecordedRouter

FRIDAY = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
OFFICE = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
BASE = agreement()
ANN = replace(BASE.people["ann"], calendar=OFFICE, languages=("nl", "EN"))
EVERYBODY = Route("everyone", "benelux")


def team(*rules: Route, **changes: Person) -> Agreement:
    return replace(BASE, people={**BASE.people, "ann": ANN, **changes}, routing=(*rules, EVERYBODY))


def away(until: datetime | None) -> RoutingState:
    return RoutingState(reps={"ann": RepState(hold=Hold(FRIDAY, until))})


def returning(limit: Duration | None, routing: RoutingState, agreed: Agreement | None = None) -> Placement:
    """Where a lead goes that ann had before."""
    agreed = agreed or team(Route("returning", owner="lead", unless_away_for=limit))
    return place(routing, agreed, DecisionFacts(), FRIDAY, last=Owner("ann", "benelux", "ld_1", "had the lead before"))


@pytest.mark.parametrize(
    ("limit", "until", "stays"),
    [
        (Duration(7200, business=True, text="2 business hours"), "2026-11-20T17:00Z", False),
        (Duration(7200, business=True, text="2 business hours"), "2026-11-20T16:59Z", True),
        (Duration(10800, business=True, text="3 business hours"), "2026-11-23T09:59Z", True),
        (Duration(10800, business=True, text="3 business hours"), "2026-11-23T10:00Z", False),
        (Duration(0, business=True, text="1 business day", days=1), "2026-11-23T14:59Z", True),
        (Duration(0, business=True, text="1 business day", days=1), "2026-11-23T15:00Z", False),
        (Duration(2 * 86400, text="2 days"), "2026-11-20T16:59Z", True),
        (Duration(2 * 86400, text="2 days"), "2026-11-20T17:00Z", False),
        (None, "2099-01-01T00:00Z", True),
    ],
)
def test_an_owner_keeps_a_returning_lead_unless_away_for_that_long_in_their_own_time(
    limit: Duration | None, until: str, stays: bool
) -> None:
    placed = returning(limit, away(datetime.fromisoformat(until)))
    assert (placed.rule == "returning") is stays
    if limit is not None and not stays:
        assert placed.skipped[0].why.startswith(f"ann is away for {limit.text} or longer (on hold")


TWO_DAYS = Duration(0, business=True, text="2 business days", days=2)


def leave(first: str, last: str) -> Leave:
    return Leave(date.fromisoformat(f"2026-{first}"), date.fromisoformat(f"2026-{last}"))


def hold(since: str, until: str) -> Hold:
    return Hold(datetime.fromisoformat(f"2026-{since}Z"), datetime.fromisoformat(f"2026-{until}Z"))


@pytest.mark.parametrize(
    ("at", "state", "away"),
    [
        ("11-23T08:00", RepState(leave=(leave("11-23", "11-24"),)), True),
        ("11-23T09:00", RepState(leave=(leave("11-23", "11-24"),)), True),
        ("11-23T08:00", RepState(leave=(leave("11-23", "11-23"),)), False),
        ("11-21T12:00", RepState(leave=(leave("11-23", "11-24"),)), True),
        ("11-20T18:00", RepState(leave=(leave("11-23", "11-24"),)), True),
        ("11-20T16:59", RepState(leave=(leave("11-23", "11-24"),)), False),
        ("11-20T08:00", RepState(leave=(leave("11-20", "11-20"), leave("11-23", "11-23"))), True),
        ("11-20T08:00", RepState(leave=(leave("11-20", "11-20"),), hold=hold("11-23T07:00", "11-23T17:00")), True),
        ("11-20T08:00", RepState(leave=(leave("11-23", "11-23"),), hold=hold("11-20T08:00", "11-20T17:00")), True),
        ("11-20T08:00", RepState(leave=(leave("11-20", "11-20"), leave("11-24", "11-24"))), False),
        ("11-21T12:00", RepState(), False),
    ],
)
def test_adjoining_leave_holds_and_closed_time_are_one_absence(at: str, state: RepState, away: bool) -> None:
    agreed = team(Route("returning", owner="lead", unless_away_for=TWO_DAYS))
    now, owner = datetime.fromisoformat(f"2026-{at}Z"), Owner("ann", "benelux", "ld_1", "had the lead before")
    placed = place(RoutingState(reps={"ann": state}), agreed, DecisionFacts(), now, last=owner)
    assert (placed.rule != "returning") is away


def test_a_holiday_between_two_days_of_leave_is_part_of_the_absence() -> None:
    closed = replace(OFFICE, holidays=frozenset({date(2026, 11, 23)}))
    agreed = team(Route("returning", owner="lead", unless_away_for=TWO_DAYS), ann=replace(ANN, calendar=closed))
    off = RepState(leave=(leave("11-20", "11-20"), leave("11-24", "11-24")))
    at, owner = datetime(2026, 11, 20, 8, tzinfo=UTC), Owner("ann", "benelux", "ld_1", "had the lead before")
    placed = place(RoutingState(reps={"ann": off}), agreed, DecisionFacts(), at, last=owner)
    assert placed.skipped[0].why == "ann is away for 2 business days or longer (on leave until 2026-11-21 00:00)"


def test_a_verdict_of_an_older_format_follows_by_the_rules_of_its_time() -> None:
    agreed = team(Route("returning", owner="lead", unless_away_for=TWO_DAYS))
    off = RepState(leave=(leave("11-23", "11-24"),))
    long = Turns(7, 3**80, {"ann": 3**79, "bob": -(3**79)}, {"ann": 3, "bob": 4})
    for lead_id, before in (("ld_1", ("ann",)), ("ld_2", ())):
        routing = RoutingState({"benelux": long}, {"ann": off}, proof_format=OLDEST_FORMAT)
        if before:
            first = decide(RoutingState(), agreed, asked(lead_id), FRIDAY).lead
            routing.load([changed(first, state="closed", outcome="lost")])
        monday = datetime(2026, 11, 23, 8, tzinfo=UTC)
        proof = decide(routing, agreed, asked(lead_id), monday).proof
        assert (proof.rule, proof.rep) == (("returning", "ann") if before else ("everyone", "bob"))
        assert differences(proof, agreed) == ()
        if before:
            assert differences(changed_proof(proof), agreed)


def test_inquiries_of_an_earlier_release_are_judged_again_by_the_rules_of_its_time(tmp_path: Path) -> None:
    agreed = team(Route("returning", owner="lead", unless_away_for=TWO_DAYS))
    first = changed(decide(RoutingState(), agreed, asked("ld_1"), FRIDAY).lead, state="closed", outcome="lost")
    monday = datetime(2026, 11, 23, 8, tzinfo=UTC)
    with closing(RecordedRouter(tmp_path)) as router:
        for proof_format, rule in ((OLDEST_FORMAT, "returning"), (FORMAT, "everyone")):
            router.live.change(first, FRIDAY)
            state = RoutingState(reps={"ann": RepState(leave=(leave("11-23", "11-24"),))})
            routing = Routing(state, router.lookup, agreed, monday, proof_format=proof_format)
            routing.judge([asked("ld_1")])
            [verdict] = routing.verdicts
            assert verdict.proof.rule == rule
            assert differences(verdict.proof, agreed) == ()


def changed_proof(proof: Proof) -> Proof:
    return msgspec.structs.replace(proof, format=FORMAT)


def test_an_absence_without_an_end_is_longer_than_any_limit() -> None:
    assert returning(Duration(999 * 86400, text="999 days"), away(None)).rule == "everyone"


def test_an_owner_who_left_the_team_is_passed_over_with_that_reason() -> None:
    agreed = team(Route("returning", owner="lead"), ann=replace(ANN, active=False))
    placed = returning(None, RoutingState(), agreed)
    assert (placed.rep, placed.skipped[0].why) == ("bob", "ann is no longer in the team")


def test_an_owner_keeps_a_lead_also_at_capacity_and_takes_no_turn() -> None:
    agreed = team(Route("returning", owner="lead"), ann=replace(ANN, max_open=1))
    routing = RoutingState(reps={"ann": RepState(open=1)})
    placed = returning(None, routing, agreed)
    assert (placed.rep, placed.turn, routing.turns) == ("ann", None, {})


@pytest.mark.parametrize(
    ("only", "facts", "rep"),
    [
        (Only("languages", ("en",)), {}, "ann"),
        (Only("languages", ("nl", "fr")), {}, "ann"),
        (Only("languages", ("fr",)), {}, None),
        (Only("languages", field="contact.language"), {"contact.language": "NL"}, "ann"),
        (Only("languages", field="contact.language"), {}, None),
        (Only("skills", ("nl",)), {}, None),
    ],
)
def test_only_members_with_what_is_asked_for_take_turns(only: Only, facts: dict[str, object], rep: str | None) -> None:
    placed = place(RoutingState(), team(Route("narrow", "benelux", only=(only,))), DecisionFacts(facts), FRIDAY)
    assert (placed.rule, placed.rep) == ("narrow", rep)


def test_all_narrowings_have_to_be_met() -> None:
    both = (Only("languages", ("en",)), Only("territories", ("BE",)))
    agreed = team(Route("narrow", "benelux", only=both))
    assert place(RoutingState(), agreed, DecisionFacts(), FRIDAY).rep is None
    agreed = team(Route("narrow", "benelux", only=both), ann=replace(ANN, territories=("be",)))
    assert place(RoutingState(), agreed, DecisionFacts(), FRIDAY).rep == "ann"


# Companies.


def owned(lead: str, *, domain: str | None = None, name: str | None = None) -> Owned:
    return Owned(AccountKeys(domain, name, name[:4] if name else None), f"rep of {lead}", "benelux", lead)


def test_a_company_belongs_to_its_first_owner_by_domain_before_name() -> None:
    accounts = Accounts(
        [owned("one", domain="acme.be", name="acme"), owned("two", domain="acme.be"), owned("three", name="acme group")]
    )
    by_domain = accounts.owner_of(AccountKeys("acme.be", "acme group", "acme"))
    by_name = accounts.owner_of(AccountKeys("acme.nl", "acme group", "acme"))
    assert by_domain is not None
    assert (by_domain.lead_id, by_domain.how) == ("one", "owns the company (acme.be)")
    assert by_name is not None
    assert (by_name.lead_id, by_name.how) == ("three", "owns the company (acme group: same name)")
    assert accounts.owner_of(AccountKeys("acme.fr", "zenith", "zeni")) is None


def test_an_owner_who_does_not_count_hides_neither_the_next_nor_one_by_name() -> None:
    accounts = Accounts(
        [owned("two", domain="acme.be"), owned("one", domain="acme.be"), owned("three", name="acme group")]
    )
    keys = AccountKeys("acme.be", "acme groups", "acme")
    everyone = accounts.owner_of(keys)
    others = accounts.owner_of(keys, lambda owned: owned.lead_id != "one")
    by_name = accounts.owner_of(keys, lambda owned: owned.lead_id == "three")
    found = (everyone, others, by_name)
    assert [owner.lead_id if owner else None for owner in found] == ["one", "two", "three"]
    assert accounts.owner_of(keys, lambda _: False) is None


def test_a_mailbox_provider_is_no_company_and_who_has_no_owner_owns_nothing() -> None:
    assert keys_of(Company(), Contact(email="jo@gmail.com")) == AccountKeys(None, None, None)
    routing = RoutingState()
    lead = decide(routing, BASE, asked("ld_1"), FRIDAY).lead
    assert owns(lead)
    assert not owns(changed(lead, state="closed", outcome="lost"))
    assert owns(changed(lead, state="closed", outcome="won"))
    assert not owns(changed(lead, state="closed", outcome="won", rep=None))


# Who can have a lead.


def test_a_limit_a_day_counts_by_the_reps_own_date_and_survives_agreements_that_have_none() -> None:
    paris = replace(ANN, calendar=replace(OFFICE, zone="Europe/Paris"), max_new_per_day=2)
    late = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
    state = with_one_more(replace(paris, max_new_per_day=None), with_one_more(paris, RepState(), late), late)
    pool = BASE.pools["benelux"]
    assert why_not(paris, state, pool, late) == "at capacity: got 2 of at most 2 leads today"
    assert free_at(paris, state, pool, late) == datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
    assert why_not(paris, state, pool, late + timedelta(minutes=30)) is None
    assert with_one_more(paris, state, late + timedelta(hours=1)).new_today == 1
    assert with_one_less(state).new_today == 2


def test_of_hold_and_leave_the_longer_one_is_given_as_the_reason() -> None:
    leave = Leave(date(2026, 11, 20), date(2026, 11, 24))
    state = RepState(hold=Hold(FRIDAY, FRIDAY + timedelta(hours=1)), leave=(leave,))
    assert why_not(ANN, state, BASE.pools["benelux"], FRIDAY) == "on leave until 2026-11-25 00:00"
    assert free_at(ANN, state, BASE.pools["benelux"], FRIDAY) == datetime(2026, 11, 25, tzinfo=UTC)


def test_hours_count_only_where_the_pool_asks_for_them() -> None:
    pool = Pool("p", {"ann": 1})
    saturday = FRIDAY + timedelta(days=1)
    assert why_not(ANN, RepState(), pool, saturday) is None
    assert why_not(ANN, RepState(), replace(pool, only_in_hours=True), saturday) == "out of hours"
    assert free_at(ANN, RepState(), replace(pool, only_in_hours=True), saturday) == datetime(
        2026, 11, 23, 9, tzinfo=UTC
    )


# Least open.


def test_the_example_in_the_documentation_holds() -> None:
    assert doctest.testmod(assignment).failed == 0


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.integers(1, 9), st.integers(0, 50)), min_size=1))
def test_least_open_never_takes_one_who_holds_more_for_their_weight_than_another(
    pool: dict[str, tuple[int, int]],
) -> None:
    weights = {rep: weight for rep, (weight, _) in pool.items()}
    held = {rep: has for rep, (_, has) in pool.items() if has}
    before = Turns(7, 3, {"a": 1, "z": -1}, {"a": 2})
    turn = take_least_open(before, weights, held)
    assert Fraction(held.get(turn.rep, 0), weights[turn.rep]) == min(Fraction(h, w) for w, h in pool.values())
    assert (turn.after.balances, turn.after.denominator, turn.after.number) == (before.balances, 3, 8)


# The routing state.


def asked(lead_id: str, **contact: str) -> InquiryReceived:
    return InquiryReceived(
        lead_id=lead_id,
        inquiry_id=f"inq_{lead_id}",
        source="website",
        kind="demo_request",
        accepted_at=FRIDAY,
        contact=Contact(**(contact or {"email": f"{lead_id}@acme.test"})),
        company=Company(),
        consent=Consent(basis="opt_in"),
    )


def changed(lead: Lead, **changes: object) -> Lead:
    return type(lead)(**{**{name: getattr(lead, name) for name in lead.__struct_fields__}, **changes})


def test_keeping_a_lead_counts_what_its_owner_holds_and_who_waits() -> None:
    routing = RoutingState()
    lead = decide(routing, BASE, asked("ld_1"), FRIDAY).lead
    rep = str(lead.rep)
    routing.save(changed(lead, stage="sal"))
    assert (routing.state(rep).open, routing.ended) == (1, set())
    routing.save(changed(lead, state="parked", rep=None))
    assert (routing.state(rep).open, routing.waiting, routing.ended) == (0, {"benelux": 1}, {"ld_1"})
    routing.save(changed(lead, state="closed", rep=None))
    assert (routing.state(rep).open, routing.waiting) == (0, {"benelux": 0})
    assert list(routing.changed) == ["ld_1"]


def test_a_person_stays_known_by_every_route_and_number_they_came_by() -> None:
    routing = RoutingState()
    decide(routing, BASE, asked("ld_1", email="jo@acme.test", phone="+321"), FRIDAY)
    decide(routing, BASE, asked("ld_2", email="jo@home.test", phone="+321"), FRIDAY)
    decide(routing, BASE, asked("ld_1", email="jo@acme.test", phone="+322"), FRIDAY)
    assert routing.leads["ld_1"].other_keys == ("e:jo@home.test", "p:+322")
    for number, contact in enumerate([{"email": "jo@home.test"}, {"phone": "+322"}], start=3):
        verdict = decide(routing, BASE, asked(f"ld_{number}", **contact), FRIDAY)
        assert (verdict.proof.verdict, verdict.lead.lead_id) == ("merged", "ld_1")
    assert sum(state.open for state in routing.reps.values()) == 1
