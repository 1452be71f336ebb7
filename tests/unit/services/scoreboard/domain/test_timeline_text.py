"""The sentence of each event on the timeline, and why this rep got the lead."""

import pytest

from services.scoreboard.domain.assignment_reasons import why_this_rep
from services.scoreboard.domain.timeline_text import SENTENCES, describe
from shared.domain.events import TYPES, Event, Recipient
from tests.kit.events import (
    OF_MARKETING,
    activity,
    after,
    assigned,
    breached,
    exhausted,
    inquiry,
    lead_rescheduled,
    merged,
    met,
    notice_delivered,
    notice_failed,
    opened,
    parked,
    progressed,
    raised,
    reassigned,
    rejected,
    split,
    warned,
    window_paused,
    window_rescheduled,
    window_resumed,
)


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
        (parked(), "Parked in triage: no rep can take this lead now. Nobody available."),
        (reassigned(), "Moved from ann to bob in the pool benelux, by the rule “everyone else”."),
        (reassigned(because="declined"), "ann gave it back, so it moved to bob in the pool benelux."),
        (reassigned(because="missed"), "ann missed the promise, so it moved to bob in the pool benelux."),
        (
            reassigned(because="reopened"),
            "Accepted after it had been rejected: it is open again, and bob in the pool benelux has it.",
        ),
        (
            reassigned(because="rescored"),
            "Another inquiry raised the score to 65. bob in the pool benelux has it; promises start again.",
        ),
        (
            reassigned(because="split"),
            "Two people had been taken for one: bob in the pool benelux has this lead, and its promises start again.",
        ),
        (
            split(),
            "This id is a lead of its own again: mia says that it is another person than lead ld_2: two people share"
            " the phone.",
        ),
        (
            split(
                reason="mia says that it is another person than lead ld_9: wrong", was_part_of=None, split_off="ld_9"
            ),
            "The id ld_9 is a lead of its own again: mia says that it is another person than lead ld_9: wrong.",
        ),
        (opened(again=1), "The promise “first response” runs again: what ended it no longer counts."),
        (reassigned(because="on_leave"), "ann went on leave, so it moved to bob in the pool benelux."),
        (lead_rescheduled(), "ann is on leave until 2026-11-24 09:00 UTC; the clock waits."),
        (lead_rescheduled(owner_leave=()), "ann has no more leave ahead; no clock waits for it."),
        (
            lead_rescheduled(changed_at=after(-60)),
            "ann has leave from 2026-11-23 09:00 UTC to 2026-11-24 09:00 UTC; the clock waits then.",
        ),
        (
            warned(to=(Recipient("rep", "ann"), Recipient("ops"))),
            "The promise “first response” is due soon: a warning is due to rep (ann) and ops.",
        ),
        (
            warned(told=(), notify=(), skipped="nobody on duty"),
            "The promise “first response” is due soon: no warning, since there was nobody on duty.",
        ),
        (
            raised(to=(Recipient("ops", "lea"),), page=True),
            "Escalated to level 2; due: a notification to ops (lea) and a page.",
        ),
        (
            raised(to=(Recipient("ops", "lea"),), absent=("sales_lead", "marketing_lead")),
            "Escalated to level 2; due: a notification to ops (lea) (nobody is on duty as sales_lead and "
            "marketing_lead).",
        ),
        (
            raised(to=(), notify=(), told=(), skipped="silenced: the CRM moves"),
            "Escalated to level 2, and nobody is notified; silenced: the CRM moves.",
        ),
        (
            warned(to=(), notify=(), told=(), skipped="silenced: the CRM moves"),
            "The promise “first response” is due soon: no warning, silenced: the CRM moves.",
        ),
        (
            raised(because="silence_ended"),
            "The silence ended without an answer; due: a notification to rep and manager.",
        ),
        (
            raised(because="acknowledgement_ended"),
            "The acknowledgement ran out without an answer; due: a notification to rep and manager.",
        ),
        (notice_delivered(), "mia (manager) was told by e-mail of the missed promise."),
        (
            notice_delivered(role="sales_lead", person=None, kind="warning", channel="slack"),
            "The role sales lead was told by Slack that the promise is due soon.",
        ),
        (notice_failed(), "mia (manager) could not be told by Slack (answered 500); e-mail is next."),
        (
            notice_failed(channel=None, next_channel=None, reason="the agreement has no channel for manager"),
            "mia (manager) was not told of the missed promise: the agreement has no channel for manager.",
        ),
        (progressed(), "The promise “volume”: 155 of 400 accepted, 200 handed over."),
        (
            warned("period:volume:2026-11", **OF_MARKETING, to=(Recipient("marketing_lead", "max"),)),
            "The promise “volume” is due soon, at this pace 310 of 400 by the month's end (155 of 400 accepted, 200 "
            "handed over): a warning is due to marketing_lead (max).",
        ),
        (
            breached("period:volume:2026-11", **OF_MARKETING),
            "The promise “volume” was missed by the month's end: 155 of 400 accepted, 200 handed over.",
        ),
        (exhausted(level=3), "The ladder is over after level 3: nobody has answered, and nothing more will follow."),
        (
            raised(told=(), notify=(), skipped="nobody on duty"),
            "Escalated to level 2, but there was nobody on duty: the next level follows at once.",
        ),
        (
            window_paused(),
            "The clock of the promise “first response” stands still until 2026-11-24 09:05 UTC at the latest; "
            "then it is due at 2026-11-24 09:15 UTC.",
        ),
        (
            window_resumed(),
            "The clock of the promise “first response” runs again: it is due at 2026-11-23 09:20 UTC.",
        ),
        (
            window_rescheduled(),
            "The promise “first response” is due at 2026-11-24 09:15 UTC now, since leave is no working time.",
        ),
        (
            assigned(owner_away="on leave until 2026-11-24 09:00", owner_leave=lead_rescheduled().owner_leave),
            "Assigned to ann from the pool benelux, by the rule “everyone else”, with score 65. "
            "Warning: ann is on leave until 2026-11-24 09:00; the clock waits.",
        ),
        (reassigned(because="left"), "ann is no longer in the team, so it moved to bob in the pool benelux."),
        (
            reassigned(because="manual", rule="moved by mia"),
            "Moved by mia from ann to bob in the pool benelux.",
        ),
        (
            assigned(because="manual", rule="moved by mia"),
            "After waiting, it was moved by mia to ann in the pool benelux.",
        ),
        (
            assigned(because="drained"),
            "After waiting, it was assigned to ann in the pool benelux, by the rule “everyone else”.",
        ),
        (
            assigned(cycle=2),
            "Assigned to ann from the pool benelux, by the rule “everyone else”, with score 65. "
            "This is cycle 2: sales had closed the lead, and the person came back.",
        ),
        (
            assigned(maybe_same_person=("ld_7", "ld_8")),
            "Assigned to ann from the pool benelux, by the rule “everyone else”, with score 65. "
            "Maybe the same person as ld_7 and ld_8: they share a phone number, under another name and address.",
        ),
        (
            merged(reason="the same person is lead ld_9 already; ann keeps it", into="ld_9"),
            "This id ends here: the same person is lead ld_9 already; ann keeps it.",
        ),
        (
            rejected(reason="minimum data: contact.email is missing"),
            "Not a lead for sales under the agreement: minimum data: contact.email is missing.",
        ),
        (activity(kind="declined", outcome=None, text="on the road"), "ann asked to give the lead back: on the road."),
        (
            activity(kind="stage", outcome=None, stage="sql", confirmed=("authority", "need")),
            "ann changed the stage: sql; confirmed authority and need.",
        ),
        (
            opened(promise="attempts"),
            "The promise “attempts” started: ann has to make the agreed number of attempts.",
        ),
        (
            opened(promise="acceptance"),
            "The promise “acceptance” started: ann has to accept the lead or give a reason.",
        ),
        (
            opened(promise="disposition"),
            "The promise “disposition” started: ann has to accept or reject the lead.",
        ),
        (
            opened(promise="triage", owner="mia"),
            "The promise “triage” started: mia has to find a rep for the lead.",
        ),
        (opened(promise="own_words"), "The promise “own words” started for ann."),
        (met(promise="triage", owner="mia"), "mia kept the promise “triage”: the lead has a rep."),
        (
            breached(promise="triage", owner="mia"),
            "The promise “triage” was missed: mia did not find a rep in time.",
        ),
    ],
)
def test_an_event_reads_as_a_plain_sentence(event: Event, sentence: str) -> None:
    assert describe(event) == sentence


def test_why_this_rep_names_the_merits_the_rule_the_pool_and_the_agreement() -> None:
    text = " ".join(why_this_rep(assigned()))
    for part in (
        "65: asked for a demo; decision maker",
        "“everyone else”",
        "ann in the pool benelux got it",
        "emea-inbound, version 3",
    ):
        assert part in text
    assert "Moved from ann to bob" in " ".join(why_this_rep(reassigned()))
    assert "Moved by mia from ann to bob" in " ".join(why_this_rep(reassigned(because="manual", rule="moved by mia")))
