"""The agreement reads as plain sentences: every block of it, and no secret."""

import dataclasses
from datetime import date

from shared.agreement_text.explain import explained
from shared.agreement_text.section import Section
from shared.domain.agreement import Channel
from shared.domain.calendar import Calendar
from shared.domain.not_watched import MARK, NOT_WATCHED, not_watched, not_watched_note
from tests.unit.shared.agreement_text.full_agreement import SMALL, whole

SECTIONS = {section.title: section for section in explained(whole())}


def text(*sections: Section) -> str:
    """All that sections say."""
    return "\n".join(
        line
        for section in sections
        for line in (section.title, *section.sentences, *(" | ".join(row) for row in _rows(section)))
    )


def _rows(section: Section) -> tuple[tuple[str, ...], ...]:
    return (section.table.head, *section.table.rows) if section.table else ()


def test_every_block_is_explained() -> None:
    assert list(SECTIONS) == [
        "The agreement",
        "Approvals",
        "What the rules may look at",
        "Working hours",
        "What counts as a marketing qualified lead (MQL)",
        "Who is left out",
        "How the score is made",
        "What counts as a sales qualified lead (SQL)",
        "People and their limits",
        "Pools: people who share leads",
        "Where leads wait",
        "Who gets a lead: the first rule that applies decides",
        "Promises of sales on each lead",
        "Commitments of marketing",
        "Promises of operations",
        "When a promise is missed: “response”",
        "Who is on duty",
        "When nobody is notified",
        "Quiet hours",
        "Channels",
        "Feedback from sales",
        "Material for buyers",
        "Shared goals",
        "Pilot “faster”",
    ]


def test_tables_are_as_wide_as_their_head_and_sentences_end() -> None:
    for section in SECTIONS.values():
        assert len({len(row) for row in _rows(section)}) <= 1
        assert all(sentence.endswith((".", ":")) for sentence in section.sentences), section
        assert section.sentences or section.table


def test_routing_reads_in_its_order() -> None:
    routing = SECTIONS["Who gets a lead: the first rule that applies decides"]
    assert routing.ordered
    assert routing.sentences == (
        "“known account”: A lead from a company with at least 1,000 employees goes to the owner of its company, if "
        "there is one and is not away for longer than 2 working days.",
        "“french”: A lead from someone whose language is “fr” goes to the pool benelux, only to members with the "
        "language “fr”, only to members whose territory is what the person's country says.",
        "“large”: A lead from a company with at least 1,000 employees goes to the pool alone.",
        "“everyone else”: A lead goes to the pool benelux.",
    )


def test_pools_show_everyones_share_and_how_the_next_rep_is_chosen() -> None:
    table = SECTIONS["Pools: people who share leads"].table
    assert table
    assert table.rows[0][:2] == ("benelux", "ann 67 %, bob 33 %")
    assert "fewest open leads" in table.rows[0][2]
    assert "triage" in table.rows[0][3]


def test_a_ladder_is_a_timeline() -> None:
    table = SECTIONS["When a promise is missed: “response”"].table
    assert table
    assert table.rows == (
        ("5 minutes before", "A notification to the rep"),
        ("at the deadline", "A notification to the rep and the rep's manager"),
        ("15 minutes after", "A move to another member of the lead's pool"),
        ("1 hour after", "A notification to operations and a page to the person on call, even if it is acknowledged"),
        ("2 working days after", "A notification to the head of marketing and the head of sales"),
        ("then every 30 minutes", "The last step again, 2 more times"),
    )


def test_what_nothing_acts_on_is_marked_and_nothing_else() -> None:
    marked = {title for title, section in SECTIONS.items() if any(MARK in text.lower() for text in section.sentences)}
    assert marked == {
        "The agreement",
        "People and their limits",
        "Material for buyers",
        "Shared goals",
    }
    assert not_watched(whole()) == list(NOT_WATCHED)
    assert not_watched_note(SMALL) == f"{MARK}: currency, people.role"


def test_promises_show_their_deadline_and_what_meets_them() -> None:
    first, attempts = SECTIONS["Promises of sales on each lead"].sentences
    assert first == (
        "First response: within 15 minutes of working time for a score of at least 80; within 1 hour of working time "
        "for a lead from a company with at least 1,000 employees, with a score of at least 20; within 2 hours of "
        "working time for all others. It is kept by a call, an e-mail or a meeting. Its clock may stand still for 2 "
        "pauses of 2 hours of working time at most. If missed, see “response”."
    )
    assert "within 5 working days. It is kept by a call (connected or voicemail) or an e-mail" in attempts
    assert "by the owner of the lead, at least 6 times or until the buyer is reached." in attempts


def test_points_that_decay_are_shown_with_their_half_life() -> None:
    section = SECTIONS["How the score is made"]
    assert "after 14 days half of them are left" in section.sentences[1]
    assert section.table
    assert [row[-1] for row in section.table.rows] == ["fades", "stays", "fades"]
    (plain,) = [one for one in explained(dataclasses.replace(whole(), half_life_s=None)) if one.title == section.title]
    assert plain.table
    assert plain.table.head == ("Points", "Because", "When")


def test_hours_and_the_next_holidays_are_listed_from_today_on() -> None:
    office = Calendar(
        "office",
        "Europe/Brussels",
        {**{day: [(9 * 3600, 45000), (48600, 18 * 3600)] for day in range(5)}, 5: [(22 * 3600, 6 * 3600)]},
        {date(2026, 1, 1), date(2026, 12, 25), date(2027, 1, 1), date(2028, 1, 1), date(2029, 1, 1)},
        shifts={date(2026, 12, 24): [(9 * 3600, 12 * 3600)]},
    )
    shown = {
        one.title: one for one in explained(dataclasses.replace(SMALL, calendars={"office": office}), date(2026, 5, 1))
    }
    hours = shown["Working hours"]
    assert hours.table
    assert hours.table.rows == (
        (
            "office",
            "Monday to Friday 09:00–12:30 and 13:30–18:00; Saturday 22:00–06:00 the next day",
            "Europe/Brussels",
            "next 25 December 2026, 1 January 2027 and 1 January 2028 (4 days until 1 January 2029)",
        ),
    )
    assert "office, 24 December 2026: 09:00–12:00." in hours.sentences


def test_a_missing_approval_is_shown() -> None:
    signed = {"sales": SMALL.approved_by["sales"]}
    shown = text(*explained(dataclasses.replace(SMALL, approved_by=signed)))
    assert "Marketing has not approved it; without both approvals it does not take effect." in shown


def test_where_a_secret_is_stored_is_shown_and_the_secret_is_not() -> None:
    shown = text(SECTIONS["Channels"])
    assert "PAGERDUTY_KEY" in shown
    assert "https://secret" not in shown


def test_channels_are_shown_in_their_order() -> None:
    ways = (
        Channel("manager", "slack", {"url_from": "env:S"}),
        Channel("ann_b", "email", {}),
        Channel("manager", "email", {}),
    )
    shown = text(*explained(dataclasses.replace(SMALL, channels=ways)))
    assert "The rep's manager: Slack (its url is in the environment variable S), or if that fails, e-mail." in shown
    assert "ann_b: e-mail." in shown.casefold()


def test_who_is_on_duty_is_shown_with_turns_and_overrides() -> None:
    assert SECTIONS["Who is on duty"].sentences == (
        "Operations: lea and tom, in turns of 7 days from 30 November 2026 at 09:00 (Europe/Brussels) on; instead tom "
        "from 24 December 2026 at 00:00 (Europe/Brussels) until 28 December 2026 at 00:00 (Europe/Brussels).",
        "The head of sales: always mia.",
        "The head of marketing: those whom the calendar rota.ics names (1 shift).",
    )


def test_a_pilot_shows_what_is_different_in_its_draft() -> None:
    shown = text(SECTIONS["Pilot “faster”"])
    assert "Leads for which the campaign of the inquiry is “q4” are decided under another draft" in shown
    assert "Routing: rule “french” is gone." in shown
    assert "Head:" not in shown
