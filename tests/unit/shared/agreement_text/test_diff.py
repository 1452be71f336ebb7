"""What changed between two agreements is described in words, whatever the field; what only looks different is not."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared import agreement_file
from shared.agreement_text.diff import differences
from shared.domain.agreement import Agreement, Channel, Duration, Mql, Only, Pause, Route, Step
from shared.domain.approvals import Review
from shared.domain.calendar import Calendar
from shared.domain.conditions import Condition
from shared.domain.duty import Rota
from shared.domain.silences import QuietHours
from tests.kit.agreements import agreement, agreement_text
from tests.unit.shared.agreement_text.full_agreement import SMALL, whole

WHOLE = whole()
NO_CHANGE = {
    ("Silence", "silence_id"): "an agreement has none",
    ("Agreement", "hash"): "follows from the content",
    ("Agreement", "text"): "the layout is in it",
    ("Agreement", "holidays"): "the calendars have them",
    ("Duration", "text"): "`1 hour` is `60 minutes`",
    ("Step", "level"): "the place in the ladder, which the steps around it tell",
}
Change = tuple[str, str, Any]


def sentences(old: Agreement, new: Agreement) -> list[str]:
    return [f"{found.area}: {found.words}" for found in differences(old, new)]


def changes(value: Any) -> Iterator[Change]:
    """Every way to change one field somewhere in a value: its class, its name, and the whole with that one change."""
    for key, inner in parts(value):
        for kind, name, changed in changes(inner):
            yield kind, name, changed_at(value, key, changed)
    if is_value(value):
        for field in stated(value):
            now = getattr(value, field.name)
            for other in different(now):
                yield type(value).__name__, field.name, replace(value, **{field.name: other})


def is_value(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, Condition | Calendar)


def stated(value: Any) -> list[dataclasses.Field[Any]]:
    """The fields of a value or type but those that follow from others."""
    return [field for field in dataclasses.fields(value) if field.init]


def parts(value: Any) -> list[tuple[Any, Any]]:
    """What a value is made of, by place."""
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, tuple):
        return list(enumerate(value))
    if is_value(value) and value not in [pilot.agreement for pilot in WHOLE.pilots]:
        return [(field.name, getattr(value, field.name)) for field in stated(value)]
    return []


def changed_at(value: Any, key: Any, changed: Any) -> Any:
    """The value with another part in one place."""
    if isinstance(value, Mapping):
        return {**value, key: changed}
    if isinstance(value, tuple):
        return (*value[:key], changed, *value[key + 1 :])
    return replace(value, **{key: changed})


OTHERS: dict[type, Callable[[Any], Any]] = {
    bool: lambda value: not value,
    int: lambda value: value + 1,
    Decimal: lambda value: value + 1,
    str: lambda value: "UTC" if value == "Europe/Brussels" else f"{value}x",
    datetime: lambda value: value + timedelta(days=1),
    date: lambda value: value + timedelta(days=1),
    dict: lambda value: dict(list(value.items())[:-1]),
    tuple: lambda value: value[:-1],
    Condition: lambda _: Condition("exists", "contact.phone"),
    Calendar: lambda _: Calendar("night", "UTC", {0: [(0, 3600)]}),
    Mql: lambda _: Mql(),
    Duration: lambda _: Duration(1),
    Review: lambda _: None,
    Pause: lambda value: replace(value, times=value.times + 1),
    Rota: lambda value: replace(value, turn_s=86_400),
    QuietHours: lambda _: QuietHours({}),
    Agreement: lambda value: replace(value, version=value.version + 1),
}
"""How each kind of value is made another one."""


def different(value: Any) -> list[Any]:
    """Another value of the same kind; none where there is nothing to go by."""
    if value is None or value in ((), {}):
        return []
    return [OTHERS[type(value)](value)]


def test_every_field_of_the_agreement_makes_a_difference() -> None:
    seen, described = set(), set()
    for block, value in parts(WHOLE):
        tried = [(kind, name, changed_at(WHOLE, block, changed)) for kind, name, changed in changes(value)]
        for kind, name, changed in (*tried, *(one for one in changes(WHOLE) if one[:2] == ("Agreement", block))):
            seen.add((block, kind, name))
            if differences(WHOLE, changed):
                described.add((block, kind, name))
    assert {found for found in seen - described if found[1:] not in NO_CHANGE} == set()
    types = {type(one) for one in everything(WHOLE)}
    assert {(kind.__name__, field.name) for kind in types for field in stated(kind)} == {found[1:] for found in seen}


def everything(value: Any) -> Iterator[Any]:
    """All the values that an agreement is made of."""
    if is_value(value):
        yield value
    for _, part in parts(value):
        yield from everything(part)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"zone": "UTC"}, "its time zone is now UTC"),
        ({"weekly": {0: [(32400, 61200)]}}, "the working time is now Monday 09:00–17:00 (was around the clock"),
        ({"holidays": {date(2026, 12, 25)}}, "now also closed on 25 December 2026"),
        ({"breaks": {date(2026, 12, 24): [(43200, 46800)]}}, "the breaks of 24 December 2026"),
        ({"shifts": {date(2026, 12, 24): []}}, "the hours of 24 December 2026 is now closed (was as usual)"),
    ],
)
def test_every_part_of_a_calendar_makes_a_difference(change: dict[str, Any], words: str) -> None:
    always = SMALL.calendars["always"]
    fields = {name: getattr(always, name) for name in ("name", "zone", "weekly", "holidays", "breaks", "shifts")}
    (found,) = sentences(SMALL, replace(SMALL, calendars={"always": Calendar(**{**fields, **change})}))
    assert found.startswith("Working hours: calendar “always”: ")
    assert words in found


def test_holidays_of_years_that_only_one_version_looks_at_are_no_change() -> None:
    def of(years: range, *, also: int = 0) -> Agreement:
        closed = (
            {date(year, 12, 25) for year in years} | {date(also, 1, 2)} if also else {date(y, 12, 25) for y in years}
        )
        starts_at = SMALL.effective_from.replace(year=years[1])
        calendar = Calendar("always", "UTC", {0: [(0, 3600)]}, closed)
        return replace(SMALL, calendars={"always": calendar}, effective_from=starts_at)

    assert not [one for one in sentences(of(range(2025, 2040)), of(range(2026, 2041))) if "closed" in one]
    (found,) = [one for one in sentences(of(range(2025, 2040)), of(range(2026, 2041), also=2027)) if "closed" in one]
    assert found.endswith("now also closed on 2 January 2027")


def test_layout_and_comments_are_no_change() -> None:
    text = agreement_text()
    other = "# signed\n" + text.replace("within: 15 minutes", "within: 900 seconds").replace(
        "[opt_in]", "\n    - opt_in"
    )
    assert sentences(SMALL, agreement_file.parse(text.replace("\n\n", "\n# more\n\n"), "a.yaml").agreement) == []
    assert other != text
    assert sentences(SMALL, agreement(within="900 seconds")) == []
    assert sentences(WHOLE, whole()) == []


def test_a_changed_weight_shows_everyones_new_share() -> None:
    pool = replace(SMALL.pools["benelux"], members={"ann": 2, "bob": 2})
    assert sentences(SMALL, replace(SMALL, pools={**SMALL.pools, "benelux": pool})) == [
        "Pools: pool “benelux”: ann's share goes from 67 % to 50 %",
        "Pools: pool “benelux”: bob's weight goes from 1 to 2, the share from 33 % to 50 %",
    ]


def test_joining_and_leaving_people_are_shown() -> None:
    pool = replace(SMALL.pools["benelux"], members={"ann": 2, "cleo": 1})
    people = {name: person for name, person in SMALL.people.items() if name != "bob"}
    assert sentences(SMALL, replace(SMALL, people=people, pools={**SMALL.pools, "benelux": pool})) == [
        "People: bob leaves",
        "Pools: pool “benelux”: cleo joins with weight 1, a share of 33 %",
        "Pools: pool “benelux”: bob leaves, who had a share of 33 %",
    ]


def test_a_changed_threshold_is_shown_with_its_old_value() -> None:
    large, rest = SMALL.routing
    smaller = replace(large, when=Condition(">=", "company.employees", 500))
    assert sentences(SMALL, replace(SMALL, routing=(smaller, rest))) == [
        "Routing: rule “large” now asks that the company's number of employees is at least 500 (was 1,000)"
    ]


def test_a_changed_list_is_shown_by_what_was_added_and_removed() -> None:
    old, new = (
        replace(SMALL, mql=replace(SMALL.mql, fit=Condition("in", "contact.country", countries)))
        for countries in (("BE", "NL"), ("BE", "LU"))
    )
    assert sentences(old, new) == [
        "Qualified leads: the fit now asks that the person's country is “BE” or “LU” (new are “LU”; gone are “NL”)"
    ]


def test_a_condition_of_another_shape_is_shown_whole() -> None:
    phone = Condition("exists", "contact.phone")
    large, rest = SMALL.routing
    assert large.when
    both = replace(large, when=Condition("all", parts=(large.when, phone)))
    (found,) = sentences(SMALL, replace(SMALL, routing=(both, rest)))
    assert found == (
        "Routing: rule “large” now applies when the company's number of employees is at least 1,000 and the person's "
        "phone number is known (was: when the company's number of employees is at least 1,000)"
    )
    assert sentences(SMALL, replace(SMALL, routing=(replace(large, when=None), rest))) == [
        "Routing: rule “large” always applies now (was: when the company's number of employees is at least 1,000)"
    ]


def test_a_rule_that_moved_is_shown_by_its_new_position() -> None:
    large, rest = SMALL.routing
    small = Route("small", "benelux", Condition("<", "company.employees", 10))
    old, new = replace(SMALL, routing=(large, small, rest)), replace(SMALL, routing=(small, large, rest))
    (found,) = sentences(old, new)
    assert found in (
        "Routing: rule “small” is now asked before “large”",
        "Routing: rule “large” is now asked before “everyone else”",
    )


def test_where_a_rule_sends_leads_is_shown() -> None:
    large, rest = SMALL.routing
    narrowed = replace(rest, only=(Only("languages", field="contact.language"),))
    assert sentences(SMALL, replace(SMALL, routing=(large, narrowed))) == [
        "Routing: rule “everyone else”: the lead now goes to the pool benelux, only to members whose language is what "
        "the person's language says (was to the pool benelux)"
    ]


def test_a_promise_is_shown_as_shorter_or_longer() -> None:
    assert sentences(SMALL, agreement(within="10 minutes", warn="5 minutes")) == [
        "Promises of sales: first response: the time is now 10 minutes of working time (was 15 minutes of working time)"
        ", which is shorter"
    ]
    days = replace(SMALL.promises["first_response"], within=Duration(0, True, days=1))
    (found,) = sentences(SMALL, replace(SMALL, promises={"first_response": days}))
    assert found.endswith("is now 1 working day (was 15 minutes of working time)")


def test_steps_of_a_ladder_are_shown_by_their_time() -> None:
    ladder = SMALL.ladders["response"]
    warn, *others = ladder.steps
    new = replace(ladder, steps=(replace(warn, tell=("rep", "manager")), *others, Step(9, 7200, tell=("sales_lead",))))
    assert sentences(SMALL, replace(SMALL, ladders={"response": new})) == [
        "Ladders: ladder “response”: the step 5 minutes before tells: now also the rep's manager",
        "Ladders: ladder “response”: new step 2 hours after: a notification to the head of sales",
    ]


def test_who_is_on_duty_is_shown_with_what_it_was() -> None:
    ops, marketing = WHOLE.duty["ops"], WHOLE.duty["marketing_lead"]
    assert ops.rota
    (shift,) = ops.overrides
    shorter = replace(shift, starts_at=shift.starts_at + timedelta(days=2))
    duty = {
        "ops": replace(ops, rota=replace(ops.rota, people=("lea", "tom", "ann")), overrides=(shorter,)),
        "marketing_lead": replace(marketing, shifts=(*marketing.shifts, replace(shorter, person="ann"))),
    }
    zone = "(Europe/Brussels)"
    assert sentences(WHOLE, replace(WHOLE, duty=duty)) == [
        "On duty: operations: on duty is now lea, tom and ann, in turns of 7 days from 30 November 2026 at 09:00 "
        f"{zone} on (was lea and tom, in turns of 7 days from 30 November 2026 at 09:00 {zone} on)",
        f"On duty: operations: overrides: now also tom from 26 December 2026 at 00:00 {zone} until 28 December 2026 at "
        f"00:00 {zone}; no longer tom from 24 December 2026 at 00:00 {zone} until 28 December 2026 at 00:00 {zone}",
        "On duty: the head of marketing: on duty is now those whom the calendar rota.ics names (2 shifts) (was those "
        "whom the calendar rota.ics names (1 shift))",
        f"On duty: the head of marketing: the calendar rota.ics has other shifts from 26 December 2026 at 00:00 {zone} "
        "on",
        "On duty: nobody is named as the head of sales any more",
    ]


def test_a_pilots_draft_is_compared_with_the_draft_before() -> None:
    (pilot,) = WHOLE.pilots
    draft = replace(pilot, agreement=replace(pilot.agreement, mql=replace(pilot.agreement.mql, score_at_least=5)))
    assert sentences(WHOLE, replace(WHOLE, pilots=(draft,))) == [
        "Pilots: pilot “faster”: in its draft, Qualified leads: the score that is needed is now 5 (was 0)"
    ]


def test_the_value_of_a_channels_setting_is_never_shown() -> None:
    (ops,) = WHOLE.channels
    moved = replace(ops, settings={**ops.settings, "url": "https://other-secret"})
    (found,) = sentences(WHOLE, replace(WHOLE, channels=(moved,)))
    assert found == "Channels: operations by pagerduty: the setting “url” is another one"
    assert "secret" not in " ".join([*sentences(SMALL, WHOLE), *sentences(WHOLE, SMALL)])


def test_another_order_of_channels_is_a_change() -> None:
    ways = Channel("ann", "email", {}), Channel("ann", "slack", {}), Channel("ops", "email", {})
    old = replace(SMALL, channels=ways)
    new = replace(SMALL, channels=(ways[1], ways[0], Channel("ann", "teams", {})))
    assert sentences(old, new) == [
        "Channels: new: ann: Microsoft Teams",
        "Channels: gone: operations: e-mail",
        "Channels: the order of the channels for ann is now ann by slack and ann by email "
        "(was ann by email and ann by slack)",
    ]
