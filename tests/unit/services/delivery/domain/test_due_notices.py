"""Which notices follow from an event, who is told how it went on, and what a group says."""

import doctest
from datetime import datetime
from typing import Any

import msgspec
import pytest

from services.delivery.domain import notice_retry
from services.delivery.domain.due_notices import Draft, DueNotice, Told, endings_of, follow_ups, incident_of, notices_of
from services.delivery.domain.notice import Buyer, Notice, facts, grouped, headline
from services.delivery.domain.notice_retry import LAST_SCHEDULE_S, NOTICE_SCHEDULE_S, next_step
from services.delivery.domain.outcome import Outcome
from services.delivery.domain.sending_channel import SendingChannel
from shared.domain.event import NextStep, Recipient
from shared.domain.events import Event
from tests.kit import events
from tests.kit.events import after
from tests.kit.notices import notice

MAIL, PAGER = SendingChannel("email"), SendingChannel("pagerduty", {"routing_key_from": "env:KEY"})
MIA, LEA = Recipient("manager", "mia"), Recipient("ops", "lea")


def made(event: Event) -> list[DueNotice]:
    return notices_of(event, "ev_1")


def told(channel: SendingChannel = MAIL, incident: str = "wi_ld_1", *, is_group: bool = False, **changes: Any) -> Told:
    [due] = made(events.raised(to=(MIA,)))
    return Told(msgspec.structs.replace(due, state="told", **changes), channel, incident, is_group)


def following(event: Event, *sent: Told) -> list[tuple[str, str]]:
    """What those who were told get after the event, by whom and how."""
    drafts = [draft for ending in endings_of(event, "ev_2") for draft in follow_ups(ending, sent)]
    return [(draft.notice.kind, draft.channels[0].kind) for draft in drafts]


def test_the_examples_hold() -> None:
    assert doctest.testmod(notice_retry).failed == 0


def test_each_role_and_person_of_an_event_gets_one_notice_under_a_steady_id() -> None:
    event = events.raised(to=(MIA, LEA, MIA), page=True, promise_due_at=after(15), due_at=after(75))
    first, second = made(event)
    assert [(each.role, each.person) for each in (first, second)] == [("manager", "mia"), ("ops", "lea")]
    assert (first.kind, first.page, first.due_at, first.escalation_id) == ("breach", True, after(15), "es_ld_1")
    assert [each.notice_id for each in made(event)] == [first.notice_id, second.notice_id]
    assert first.notice_id != second.notice_id


@pytest.mark.parametrize(
    ("step", "does"),
    [
        (NextStep(after(30), ("manager",)), "the rep's manager is notified"),
        (NextStep(after(30), ("ops", "manager"), page=True), "operations and the rep's manager are paged"),
        (NextStep(after(30), page=True), "operations is paged"),
        (
            NextStep(after(30), ("manager",), moves=True),
            "the lead moves to another rep and the rep's manager is notified",
        ),
    ],
)
def test_a_notice_says_what_follows_and_its_follow_ups_do_not(step: NextStep, does: str) -> None:
    [due] = made(events.raised(to=(MIA,), next_step=step, because="acknowledgement_ended"))
    assert (due.next_at, due.next_does, due.because) == (after(30), does, "acknowledgement_ended")
    ended = Told(msgspec.structs.replace(due, state="told"), MAIL, "wi_ld_1", grouped=False)
    [draft] = [each for ending in endings_of(events.closed("ld_1"), "ev_2") for each in follow_ups(ending, [ended])]
    assert (draft.notice.next_at, draft.notice.next_does, draft.notice.because) == (None, None, None)


@pytest.mark.parametrize(
    ("event", "whom"),
    [
        (events.raised(), [("rep", None), ("manager", None)]),
        (events.raised(notify=()), [("rep", None), ("manager", None)]),
        (events.raised(notify=(), told=(), page=True), [("ops", None)]),
        (events.raised(notify=(), told=()), []),
        (events.raised(to=(), skipped="nobody on duty"), []),
        (events.warned(to=(Recipient("rep", "ann"),)), [("rep", "ann")]),
        (events.met(), []),
    ],
)
def test_who_is_notified_also_by_records_of_an_earlier_release(event: Event, whom: list[Any]) -> None:
    assert [(each.role, each.person) for each in made(event)] == whom


def test_those_who_were_told_learn_the_end_once_per_person_and_channel() -> None:
    again = told(notice_id="nt_later")
    assert following(events.closed(), told(), again) == [("closed", "email")]
    assert following(events.closed(), told(), told(PAGER)) == [
        ("closed", "pagerduty"),
        ("closed", "email"),
        ("closed", "pagerduty"),
    ]
    assert following(events.acknowledged(by="tom"), told(), again) == [("acknowledged", "email")]


def test_two_channels_of_a_kind_and_two_incidents_at_a_pager_each_learn_the_end() -> None:
    other = SendingChannel("pagerduty", {"routing_key_from": "env:OTHER"})
    both = [("acknowledged", "pagerduty")] * 2
    assert following(events.acknowledged(), told(PAGER), told(other)) == both
    assert following(events.acknowledged(), told(PAGER), told(PAGER, "wi_ld_1.ev_2")) == both
    assert following(events.closed(), told(), told(incident="wi_ld_1.ev_2")) == [("closed", "email")]


def test_who_acknowledged_it_is_not_told_so_but_their_pager_is() -> None:
    assert following(events.acknowledged(by="mia"), told(), told(PAGER)) == [("acknowledged", "pagerduty")]


def test_an_incident_begins_anew_after_an_acknowledgement_and_after_a_silence() -> None:
    to = (Recipient("ops"),)
    [first] = notices_of(events.raised(to=to), "ev_1")
    [again] = notices_of(events.raised(to=to, because="silence_ended"), "ev_2")
    assert (first.again, again.again) == (None, "ev_2")
    assert incident_of(first, None) == first.window_id
    assert incident_of(again, "ev_2").startswith(f"{first.window_id}~")
    assert incident_of(again, "ev_2") != incident_of(again, "ev_3")


@pytest.mark.parametrize("event", [events.met(), events.cancelled(), events.retracted()])
def test_the_end_of_a_warned_promise_is_for_pagers_alone(event: Event) -> None:
    assert following(event, told(kind="warning")) == []
    assert following(event, told(PAGER, kind="warning")) == [("closed", "pagerduty")]


def test_a_breach_ends_the_warning_and_says_nothing_more() -> None:
    assert following(events.breached(), told(PAGER, kind="warning")) == []


def test_what_ends_an_incident_at_a_pager_is_sent_alone_and_other_notices_are_grouped() -> None:
    def group(due: DueNotice, channel: SendingChannel, incident: str) -> str:
        return Draft(due, (channel,), incident).group

    [breach] = made(events.raised(to=(MIA,)))
    closed = msgspec.structs.replace(breach, kind="closed")
    assert group(breach, PAGER, "wi_1") == group(breach, PAGER, "wi_2")
    assert group(breach, PAGER, "wi_1") != group(breach, MAIL, "wi_1")
    assert group(closed, MAIL, "wi_1") == group(closed, MAIL, "wi_2")
    assert group(closed, PAGER, "wi_1") != group(closed, PAGER, "wi_2")


def test_mailboxes_are_endpoints_of_their_own_and_a_chat_is_one_for_all() -> None:
    assert MAIL.lane("manager", "mia") != MAIL.lane("manager", "ann")
    assert PAGER.lane("ops", "lea") == PAGER.lane("manager", "mia")


@pytest.mark.parametrize(
    ("outcome", "attempts", "schedule_s", "action"),
    [
        (Outcome("taken", ""), 1, NOTICE_SCHEDULE_S, "told"),
        (Outcome("failed", ""), 1, LAST_SCHEDULE_S, "give_up"),
        (Outcome("retry", ""), 3, NOTICE_SCHEDULE_S, "retry"),
        (Outcome("retry", ""), 4, NOTICE_SCHEDULE_S, "give_up"),
        (Outcome("retry", ""), 7, LAST_SCHEDULE_S, "retry"),
        (Outcome("retry", ""), 8, LAST_SCHEDULE_S, "give_up"),
    ],
)
def test_a_channel_has_a_minute_and_the_last_one_longer(
    outcome: Outcome, attempts: int, schedule_s: tuple[int, ...], action: str
) -> None:
    assert next_step(outcome, attempts, 0.5, schedule_s).action == action


def test_a_wait_that_the_receiver_asks_for_counts_up_to_twice_the_planned_one() -> None:
    assert next_step(Outcome("retry", "", 15), 2, 0.0, NOTICE_SCHEDULE_S).wait_s == 15
    assert next_step(Outcome("retry", "", 900), 2, 0.0, NOTICE_SCHEDULE_S).wait_s == 20


def test_a_notice_about_a_period_says_how_it_goes_and_what_ends_it_does_not_repeat_that() -> None:
    of_volume: Any = events.OF_MARKETING
    [soon] = made(events.warned("period:volume:2026-11", **of_volume, to=(Recipient("marketing_lead", "max"),)))
    assert soon.pace == "at this pace 310 of 400 by the month's end (155 of 400 accepted, 200 handed over)"
    about = {name: of_volume[name] for name in ("promise", "owner", "generation", "period", "progress")}
    [missed] = made(events.raised("period:volume:2026-11", **about, to=(MIA,)))
    assert missed.pace == "155 of 400 accepted, 200 handed over"
    [ended] = [
        draft.notice
        for ending in endings_of(events.closed("period:volume:2026-11"), "ev_2")
        for draft in follow_ups(ending, [Told(missed, MAIL, "wi_1", False)])
    ]
    assert (ended.kind, ended.pace) == ("closed", None)
    assert [each.pace for each in made(events.raised(to=(MIA,)))] == [None]


def test_a_group_of_periods_says_of_each_how_it_goes() -> None:
    of_period: dict[str, Any] = {"buyer": Buyer(), "rep": "", "promise": "volume", "pace": "155 of 400 accepted"}
    made_of_two = grouped([notice(**of_period)] * 2, 2, notice_id="ms_1", incident_id="ms_1")
    [periods] = [fact.text for fact in facts(made_of_two) if fact.label == "Promises"]
    assert periods == "; ".join(["volume, Fri 27 Nov 10:05 CET, 155 of 400 accepted"] * 2)
    assert "155" not in headline(made_of_two)


def test_a_group_about_several_promises_counts_and_names_promises() -> None:
    two = [notice(), notice(promise="triage")]
    made_of_two = grouped(two, 2, notice_id="ms_1", incident_id="ms_1")
    assert headline(made_of_two).startswith("Overdue: first response, triage, 2 promises, first was due")
    [named] = [fact.text for fact in facts(made_of_two) if fact.label == "Promises"]
    assert [line.split(" (")[0] for line in named.split("; ")] == [
        "Jo Doe of Initech, first response",
        "Jo Doe of Initech, triage",
    ]


def group_of(count: int, **changes: Any) -> Notice:
    several = [notice(notice_id=f"nt_{n}", due_at=after(n), **changes) for n in range(6)]
    return grouped(several, count, notice_id="ms_1", incident_id="ms_1")


def test_a_group_names_the_first_six_and_counts_the_others() -> None:
    made = group_of(37)
    assert headline(made) == "Overdue: first response, 37 leads, first was due Mon 23 Nov 10:00 CET"
    [leads] = [fact.text for fact in facts(made) if fact.label == "Leads"]
    assert leads.count("Jo Doe of Initech (Ann Lee)") == 6
    assert leads.endswith("; and 31 more")
    assert {fact.label for fact in facts(made)} == {"Leads", "First due", "You get this as"}


def test_a_group_of_acknowledgements_says_until_when_only_if_that_is_the_same_for_all() -> None:
    def said(*until: datetime | None, count: int) -> str:
        several = [notice(notice_id=f"nt_{n}", kind="acknowledged", by="Mia", until=at) for n, at in enumerate(until)]
        return headline(grouped(several, count, notice_id="ms_1", incident_id="ms_1"))

    assert (
        said(after(60), after(60), count=2) == "Acknowledged by Mia until Mon 23 Nov 11:00 CET: first response, 2 leads"
    )
    without = "Acknowledged by Mia: first response, 2 leads"
    assert said(after(60), after(90), count=2) == said(after(60), None, count=2) == without
    assert "until" not in said(*[after(60)] * 6, count=7)


@pytest.mark.parametrize("kind", ["warning", "breach", "acknowledged", "closed"])
def test_every_kind_of_group_says_how_many(kind: Any) -> None:
    assert "37 leads" in headline(group_of(37, kind=kind, by="Mia"))
