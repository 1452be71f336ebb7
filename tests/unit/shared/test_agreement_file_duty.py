"""Who is on duty, as an agreement file and its calendars say it."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.agreement_file import AgreementRefused, formatted, load, parse
from shared.domain.agreement import Agreement
from shared.domain.duty import Duty, Rota, Shift, on_duty

DATA = Path(__file__).parents[2] / "data"
FULL = (DATA / "agreement_full.yaml").read_text()
DRAFT = (DATA / "draft.yaml").read_text()
EARLIER = "".join(FULL.partition("\nduty:")[:1])
"""The same agreement without `duty`, as it was before there was any."""
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
BY_CALENDAR = "{ops: {calendar: rota.ics}}"
TURNS = """
BEGIN:VEVENT
UID:bob
SUMMARY:bob
DTSTART;TZID=Europe/Brussels:20261130T090000
DTEND;TZID=Europe/Brussels:20261207T090000
RRULE:FREQ=WEEKLY;INTERVAL=2
END:VEVENT
BEGIN:VEVENT
UID:mia
SUMMARY:On call
ATTENDEE:mailto:Mia@acme.example
DTSTART;TZID=Europe/Brussels:20261207T090000
DTEND;TZID=Europe/Brussels:20261214T090000
RRULE:FREQ=WEEKLY;INTERVAL=2
END:VEVENT"""


def calendar(events: str = TURNS) -> str:
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{events.strip()}\nEND:VCALENDAR\n"


def event(title: str, starts: str, ends: str, *more: str) -> str:
    lines = (f"SUMMARY:{title}", f"DTSTART{starts}", f"DTEND{ends}", *more)
    return "\n".join(["BEGIN:VEVENT", f"UID:{title}", *lines, "END:VEVENT"])


def written(duty: str) -> str:
    return f"{EARLIER}\nduty: {duty}\n"


def read(duty: str) -> Agreement:
    return parse(written(duty), "deal.yaml", {"draft.yaml": DRAFT}).agreement


def by_calendar_file(text: str) -> Agreement:
    return parse(written(BY_CALENDAR), "deal.yaml", {"draft.yaml": DRAFT, "rota.ics": text}).agreement


def by_calendar(*events: str) -> Agreement:
    return by_calendar_file(calendar("\n".join(events)))


def refused(*events: str) -> str:
    with pytest.raises(AgreementRefused) as found:
        by_calendar(*events)
    [finding] = found.value.findings
    return finding.message


def warnings_of(duty: str, now: datetime = NOW) -> list[str]:
    files = {"draft.yaml": DRAFT, "rota.ics": calendar()}
    found = parse(written(duty), "deal.yaml", files, now).warnings
    return [str(warning) for warning in found if warning.code == "nobody_on_duty"]


def on(agreement: Agreement, at: str) -> str | None:
    return on_duty(agreement.duty, "ops", datetime.fromisoformat(at)).person


def test_turns_and_overrides_are_in_the_zone_of_the_agreement() -> None:
    found = parse(FULL, "deal.yaml", {"draft.yaml": DRAFT}).agreement.duty
    stands_in = Shift("bob", datetime(2026, 12, 23, 23, tzinfo=UTC), datetime(2026, 12, 27, 23, tzinfo=UTC))
    rota = Rota(("bob", "mia"), 7 * 86_400, datetime.fromisoformat("2026-11-30T09:00"), "Europe/Brussels")
    assert found == {"ops": Duty(rota=rota, overrides=(stands_in,)), "sales_lead": Duty(always="mia")}


def test_an_instant_with_an_offset_is_that_instant_wherever_the_agreement_is() -> None:
    override = "override: [{who: ann, from: 2026-12-24T12:00Z, to: 2026-12-24T18:00+02:00}]"
    ops = read(f"{{ops: {{rota: [bob], turn: 12 hours, starts: 2026-11-30T09:00Z, {override}}}}}").duty["ops"]
    assert ops.rota == Rota(("bob",), 43_200, datetime.fromisoformat("2026-11-30T10:00"), "Europe/Brussels")
    noon = datetime(2026, 12, 24, 12, tzinfo=UTC)
    assert ops.overrides == (Shift("ann", noon, noon + timedelta(hours=4)),)


def test_overrides_may_be_listed_in_any_order_and_touch() -> None:
    later, first = "{who: bob, from: 2026-12-26, to: 2026-12-27}", "{who: ann, from: 2026-12-25, to: 2026-12-25}"
    found = read(f"{{ops: {{always: mia, override: [{later}, {first}]}}}}")
    assert [shift.person for shift in found.duty["ops"].overrides] == ["ann", "bob"]
    assert on(found, "2026-12-25T23:59:59+01:00") == "ann"
    assert on(found, "2026-12-26T00:00+01:00") == "bob"
    assert on(found, "2026-12-28T00:00+01:00") == "mia"


def test_more_overrides_than_a_role_may_have_are_refused() -> None:
    def listed(count: int) -> str:
        days = (datetime(2027, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(count))
        each = ", ".join(f"{{who: bob, from: {day:%Y-%m-%d}, to: {day:%Y-%m-%d}}}" for day in days)
        return f"{{ops: {{always: mia, override: [{each}]}}}}"

    assert len(read(listed(100)).duty["ops"].overrides) == 100
    with pytest.raises(AgreementRefused, match="at most 100 overrides, not 101: remove those that are over"):
        read(listed(101))


def test_a_check_warns_of_times_at_which_nobody_is_on_duty_with_role_and_days() -> None:
    late = "{ops: {rota: [bob], turn: week, starts: 2026-12-07T09:00}, sales_lead: {always: mia}}"
    assert warnings_of(late) == [
        "107:8: in the next 90 days nobody is `ops` from 2026-12-01 13:00 to 2026-12-07 09:00: add someone, or an "
        "override"
    ]
    assert warnings_of(late, datetime(2026, 12, 7, 8, tzinfo=UTC)) == []
    filled = late.replace("09:00}", "09:00, override: [{who: mia, from: 2026-12-01, to: 2026-12-06}]}")
    assert warnings_of(filled) == [
        "107:8: in the next 90 days nobody is `ops` from 2026-12-07 00:00 to 2026-12-07 09:00: add someone, or an "
        "override"
    ]
    assert warnings_of(BY_CALENDAR) == []
    assert [
        each for each in parse(written(late), "deal.yaml", {"draft.yaml": DRAFT}).warnings if "nobody" in str(each)
    ] == []


def test_many_gaps_are_counted_from_when_the_agreement_takes_effect() -> None:
    def daily() -> Iterator[str]:
        for day in range(1, 31):
            yield event("bob", f":202612{day:02}T080000Z", f":202612{day:02}T180000Z")

    text = written(BY_CALENDAR)
    files = {"draft.yaml": DRAFT, "rota.ics": calendar("\n".join(daily()))}
    [found] = [
        each.message
        for each in parse(text, "deal.yaml", files, datetime(2026, 11, 20, tzinfo=UTC)).warnings
        if each.code == "nobody_on_duty"
    ]
    assert found.startswith(
        "in the next 90 days nobody is `ops` from 2026-12-01 00:00 to 2026-12-01 09:00, from 2026-12-01 19:00 to "
        "2026-12-02 09:00, from 2026-12-02 19:00 to 2026-12-03 09:00 and 28 more times: "
    )


def test_events_of_a_calendar_are_shifts_of_the_person_in_the_title_or_who_attends() -> None:
    found = by_calendar(TURNS)
    assert [on(found, f"2026-12-{day:02}T09:00+01:00") for day in (1, 6, 7, 14, 21)] == [
        *("bob", "bob", "mia", "bob", "mia")
    ]
    assert on(found, "2026-12-07T08:59:59+01:00") == "bob"
    assert on(found, "2027-07-05T08:59:59+02:00") == "bob"
    assert on(found, "2027-07-12T08:59:59+02:00") == "mia"


def test_dates_and_times_without_a_zone_are_in_the_zone_of_the_agreement() -> None:
    found = by_calendar(
        event("ann", ";VALUE=DATE:20261205", ";VALUE=DATE:20261207"),
        event("bob", ":20261207T000000", ":20261207T120000"),
    )
    assert [
        on(found, f"2026-12-{at}+01:00") for at in ("04T23:59", "05T00:00", "06T23:59", "07T00:00", "07T12:00")
    ] == [*(None, "ann", "ann", "bob", None)]


def test_an_event_that_repeats_has_exceptions_and_a_cancelled_one_does_not_count() -> None:
    weekly = event("ann", ":20261207T080000Z", ":20261207T180000Z", "RRULE:FREQ=WEEKLY", "EXDATE:20261214T080000Z")
    moved = event("ann", ":20261222T080000Z", ":20261222T180000Z", "RECURRENCE-ID:20261221T080000Z")
    gone = event("ann", ":20261228T080000Z", ":20261228T180000Z", "RECURRENCE-ID:20261228T080000Z", "STATUS:CANCELLED")
    found = by_calendar(weekly, moved, gone)
    days = [day for day in range(7, 32) if on(found, f"2026-12-{day:02}T12:00+00:00")]
    assert days == [7, 22]
    assert on(found, "2027-01-04T12:00+00:00") == "ann"


def test_events_of_one_person_that_touch_or_overlap_are_one_shift() -> None:
    [shift] = by_calendar(december("bob", 9, 12), december("bob", 7, 8), december("BOB", 8, 10)).duty["ops"].shifts
    assert shift == Shift("bob", datetime(2026, 12, 7, 8, tzinfo=UTC), datetime(2026, 12, 12, 8, tzinfo=UTC))


def test_weekly_events_in_a_zone_change_at_their_local_time_and_in_utc_at_theirs() -> None:
    def both(zone: str) -> Agreement:
        turns = TURNS if zone else TURNS.replace(";TZID=Europe/Brussels", "").replace("T090000", "T080000Z")
        return by_calendar(turns)

    for zone, change in (("Europe/Brussels", "2027-04-05T09:00+02:00"), ("", "2027-04-05T08:00+00:00")):
        found, at = both(zone), datetime.fromisoformat(change)
        before = on_duty(found.duty, "ops", at - timedelta(seconds=1))
        assert before.until_at == at
        assert before.person != on_duty(found.duty, "ops", at).person is not None


BOTH = tuple(f"ATTENDEE:mailto:{who}@acme.example" for who in ("ann", "bob"))
DECADES = [
    event("bob", f":{year}0101T080000Z", f":{year}0101T090000Z", "RRULE:FREQ=DAILY") for year in range(1971, 1981)
]


def december(title: str, first: int, last: int, *more: str) -> str:
    return event(title, f":202612{first:02}T080000Z", f":202612{last:02}T080000Z", *more)


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([december("eve", 7, 8)], "the event 'eve' names nobody under `people`"),
        ([december("bob", 7, 9), december("ann", 8, 10)], "both bob and ann are on duty on 2026-12-08 09:00"),
        ([december("bob", 7, 7)], "the event 'bob' has no end, or one before its start"),
        ([december("bob", 7, 8, "RRULE:FREQ=HOURLY")], "the event 'bob' repeats in a way that is not followed"),
        ([december("bob", 7, 8, "RRULE:FREQ=MONTHLY")], "the event 'bob' repeats in a way that is not followed"),
        ([december("both", 7, 8, *BOTH)], "the event 'both' has several people: ann, bob. Let its title be the id"),
        (["nonsense"], "this is not an iCalendar file"),
        (DECADES, "its events take place more than 20,000 times"),
    ],
)
def test_a_calendar_that_does_not_say_who_is_on_duty_is_refused(events: list[str], why: str) -> None:
    assert refused(*events).startswith(f"`rota.ics`: {why}")


def test_people_who_are_not_active_cannot_be_on_duty_by_a_calendar() -> None:
    inactive = EARLIER.replace("languages: [fr, en]", "active: false, languages: [fr, en]").replace(
        "only: {languages: fr}", "only: {languages: nl}"
    )
    with pytest.raises(AgreementRefused) as found:
        parse(
            f"{inactive}\nduty: {{ops: {{calendar: rota.ics}}}}\n",
            "deal.yaml",
            {"draft.yaml": DRAFT, "rota.ics": calendar()},
        )
    assert [str(each) for each in found.value.findings] == [
        "107:24: `bob` is not active and can't be on duty: name someone else"
    ]


def test_an_agreement_without_duty_has_the_hash_that_it_always_had() -> None:
    employees = '{field: company.employees, op: ">=", value: 1000}'
    chain = f"{{within: 30 minutes, when: {employees}, otherwise: {{within: 1 hour}}}}"
    assert chain in EARLIER
    found = parse(EARLIER.replace(chain, "{within: 1 hour}"), "deal.yaml", {"draft.yaml": DRAFT}).agreement
    assert found.hash == "sha256:a72970a705da5d8e918e85be4fc31102dacdaf211c7ddbc97abc480f97d1018d"
    assert found.duty == {}
    assert found.files == {"draft.yaml": DRAFT}


def test_the_hash_follows_the_text_of_a_calendar_and_not_its_line_ends() -> None:
    duty, text = BY_CALENDAR, calendar()
    first = parse(written(duty), "deal.yaml", {"draft.yaml": DRAFT, "rota.ics": text}).agreement
    assert first.files == {"draft.yaml": DRAFT, "rota.ics": text}
    assert parse(first.text, "store", json.loads(json.dumps(dict(first.files)))).agreement == first
    same = {"draft.yaml": DRAFT, "rota.ics": text.replace("\n", "\r\n"), "other.ics": "not named"}
    assert parse(written(duty), "deal.yaml", same).agreement.hash == first.hash
    other = {"draft.yaml": DRAFT, "rota.ics": text.replace("T090000", "T100000")}
    assert parse(written(duty), "deal.yaml", other).agreement.hash != first.hash


def test_a_draft_has_the_calendar_next_to_it(tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    (tmp_path / "deal.yaml").write_text(EARLIER.replace("draft.yaml", "next/draft.yaml"))
    (tmp_path / "next/draft.yaml").write_text(f"{DRAFT}\nduty: {{ops: {{calendar: rota.ics}}}}\n")
    with pytest.raises(AgreementRefused, match=r"next/draft.yaml:38:24: there is no file `rota.ics` next to the agree"):
        load(tmp_path / "deal.yaml")
    (tmp_path / "next/rota.ics").write_text(calendar())
    found = load(tmp_path / "deal.yaml").agreement
    assert set(found.files) == {"next/draft.yaml", "next/rota.ics"}
    assert on(found.pilots[0].agreement, "2026-12-01T12:00+01:00") == "bob"
    assert parse(found.text, "store", found.files).agreement == found
    draft = load(tmp_path / "next/draft.yaml").agreement
    assert draft == found.pilots[0].agreement
    assert parse(draft.text, "store", draft.files).agreement == draft


def test_the_block_is_laid_out_between_ladders_and_channels() -> None:
    keys = [line.partition(":")[0] for line in formatted(FULL).splitlines() if line[:1].isalpha()]
    assert keys[keys.index("ladders") :][:3] == ["ladders", "duty", "channels"]


PIECES = calendar().replace(":", "\0:\0").replace(";", "\0;\0").replace("\n", "\0\n\0").split("\0")
ODD = ["", ":", ";", "\n", "20260101", "19000101T000000Z", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "-1", "TZID=UTC", "é"]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, len(PIECES) - 1), st.sampled_from(ODD)), min_size=1, max_size=3))
def test_a_damaged_calendar_is_refused_or_read_and_never_fails_in_another_way(damage: list[tuple[int, str]]) -> None:
    pieces = list(PIECES)
    for place, instead in damage:
        pieces[place] = instead
    with suppress(AgreementRefused):
        shifts = by_calendar_file("".join(pieces)).duty["ops"].shifts
        assert all(before.ends_at <= after.starts_at for before, after in pairwise(shifts))
