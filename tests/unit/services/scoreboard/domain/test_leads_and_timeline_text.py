"""What is shown of a lead, how events read, and the figures of a day."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.scoreboard.domain.assignment_reasons import why_this_rep
from services.scoreboard.domain.day import day_of, quarter_of
from services.scoreboard.domain.kpis import kpis
from services.scoreboard.domain.leads import LeadRow, act, inquire, settle
from services.scoreboard.domain.timeline_text import SENTENCES, describe
from shared.domain.events import TYPES, Event
from shared.domain.lead import Contact
from tests.kit.events import (
    activity,
    after,
    assigned,
    breached,
    inquiry,
    merged,
    met,
    opened,
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


def test_a_verdict_without_an_owner_takes_the_owner_away() -> None:
    found = settle(settle(LEAD, assigned()), parked(lead_version=2))
    assert (found.state, found.owner, found.reason) == ("parked", None, "nobody_available")


def test_a_merged_inquiry_leaves_the_lead_as_it_was() -> None:
    assert settle(settle(LEAD, assigned()), merged()).state == "assigned"
    assert settle(settle(LEAD, rejected()), merged(rep=None)).state == "rejected"
    assert settle(LEAD, merged()).owner == "ann"


def test_sales_moves_the_stage_and_a_call_does_not() -> None:
    assert act(LEAD, activity(kind="accepted")).sales_stage == "sal"
    assert act(LEAD, activity(kind="stage", stage="sql")).sales_stage == "sql"
    assert act(LEAD, activity()).sales_stage is None


def test_every_event_has_a_sentence_of_its_own() -> None:
    assert set(SENTENCES) == set(TYPES.values())


def test_a_type_without_a_sentence_is_named_in_words() -> None:
    class Odd(Event, frozen=True, kw_only=True):
        pass

    Odd.TYPE = "baton.lead.merely_odd.v1"
    assert describe(Odd(lead_id="ld_1")) == "Lead merely odd."


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (inquiry(), "Demo request received through website, campaign q4-demo."),
        (activity(), "ann called: connected."),
        (activity(kind="rejected", outcome=None, reason="no_budget"), "ann rejected the lead: no budget."),
        (parked(), "A good lead that nobody can take now: it waits in triage. Nobody available."),
        (reassigned(), "Moved from ann to bob in the pool benelux, by the rule “everyone else”."),
        (reassigned(because="declined"), "ann gave it back, so it moved to bob in the pool benelux."),
        (reassigned(because="missed"), "ann missed the promise, so it moved to bob in the pool benelux."),
        (reassigned(because="left"), "ann is no longer in the team, so it moved to bob in the pool benelux."),
        (
            reassigned(because="manual", rule="moved by mia"),
            "Moved by mia from ann to bob in the pool benelux.",
        ),
        (
            assigned(because="manual", rule="moved by mia"),
            "It had waited, and was moved by mia to ann in the pool benelux.",
        ),
        (
            assigned(because="drained"),
            "It had waited; now ann in the pool benelux can take it, by the rule “everyone else”.",
        ),
        (
            assigned(cycle=2),
            "Assigned to ann from the pool benelux, by the rule “everyone else”, with score 65. "
            "This is cycle 2: sales had ended the lead before, and it came back.",
        ),
        (
            merged(reason="the same person is lead ld_9 already; ann keeps it", into="ld_9"),
            "This id ends here: the same person is lead ld_9 already; ann keeps it.",
        ),
        (
            rejected(reason="minimum data: contact.email is missing"),
            "Not a lead for sales under the agreement: minimum data: contact.email is missing.",
        ),
        (activity(kind="declined", outcome=None, text="on the road"), "ann gave the lead back: on the road."),
        (
            activity(kind="stage", outcome=None, stage="sql", confirmed=("authority", "need")),
            "ann moved the stage: sql; confirmed authority and need.",
        ),
        (
            opened(promise="attempts"),
            "The clock of the promise “attempts” began to run: ann has to make the agreed number of attempts.",
        ),
        (
            opened(promise="acceptance"),
            "The clock of the promise “acceptance” began to run: ann has to accept the lead or give a reason.",
        ),
        (
            opened(promise="disposition"),
            "The clock of the promise “disposition” began to run: ann has to say what becomes of the lead.",
        ),
        (
            opened(promise="triage", owner="mia"),
            "The clock of the promise “triage” began to run: mia has to find someone for the lead.",
        ),
        (opened(promise="own_words"), "The clock of the promise “own words” began to run for ann."),
        (met(promise="triage", owner="mia"), "mia kept the promise “triage”; someone has the lead."),
        (
            breached(promise="triage", owner="mia"),
            "The promise “triage” was missed: nobody got the lead in time, which mia was to see to.",
        ),
    ],
)
def test_an_event_reads_as_a_plain_sentence(event: Event, sentence: str) -> None:
    assert describe(event) == sentence


def test_why_this_rep_names_the_merits_the_rule_the_pool_and_the_agreement() -> None:
    said = " ".join(why_this_rep(assigned()))
    for part in (
        "65: asked for a demo; decision maker",
        "“everyone else”",
        "ann in the pool benelux got it",
        "emea-inbound, version 3",
    ):
        assert part in said
    assert "Moved from ann to bob" in " ".join(why_this_rep(reassigned()))
    assert "Moved by mia from ann to bob" in " ".join(why_this_rep(reassigned(because="manual", rule="moved by mia")))


def test_a_day_follows_the_zone_and_its_clock_changes() -> None:
    brussels = ZoneInfo("Europe/Brussels")
    day = day_of(datetime(2026, 11, 22, 23, 30, tzinfo=UTC), brussels)
    assert (day.date.isoformat(), day.start_at) == ("2026-11-23", datetime(2026, 11, 22, 23, tzinfo=UTC))
    long = day_of(datetime(2026, 10, 25, 12, tzinfo=UTC), brussels)
    assert (long.end_at - long.start_at).total_seconds() == 25 * 3600


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Australia/Eucla", "Pacific/Chatham", "America/St_Johns"])
def test_a_day_is_whole_quarter_hours_in_odd_zones(zone: str) -> None:
    day = day_of(datetime(2026, 11, 22, 12, tzinfo=UTC), ZoneInfo(zone))
    assert quarter_of(day.start_at) == f"{day.start_at:%Y-%m-%dT%H:%MZ}"
    assert quarter_of(day.end_at) == f"{day.end_at:%Y-%m-%dT%H:%MZ}"


def test_a_funnel_counts_parked_leads_as_mql_and_gives_no_share_of_nothing() -> None:
    steps = {step.name: step for step in kpis({"received": 10, "assigned": 3, "parked": 1, "merged": 4})}
    assert (steps["mql"].count, steps["mql"].share, steps["assigned"].share) == (4, 0.4, 0.75)
    assert steps["responded"].share is None
