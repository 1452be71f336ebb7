"""Calendars of the file: hours by weekday, public holidays by country, and dates with other hours or none."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

import holidays

from shared.agreement_file.schema.agreement_schema import CalendarBlock, OpenBlock
from shared.agreement_file.text.findings import Findings, Path, proposal
from shared.agreement_file.text.values import Closure
from shared.domain.business_time import NeverOpens, next_open
from shared.domain.calendar import Calendar, Span

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

YEARS = 15
"""How many years of holidays are taken in, from the year before the agreement takes effect: longer than it lives."""


PublicHolidays = dict[str, tuple[date, ...]]
"""The public holidays of a country or a part of it, by its code with the first of the years, like `BE from 2026`."""


def calendars_of(
    blocks: Mapping[str, CalendarBlock],
    zone: str,
    effective_from: datetime,
    public: PublicHolidays,
    findings: Findings,
) -> dict[str, Calendar]:
    """All calendars of the file, in `zone` unless they name their own. Refuses those that never open within a year.
    Adds to `public` what it did not have.
    """
    made = {}
    for name, block in blocks.items():
        path: Path = ("calendars", name)
        before = len(findings.refusals)
        weekly = _weekly(block.hours, (*path, "hours"), findings)
        days = _holidays(block.holidays, effective_from.year - 1, public, (*path, "holidays"), findings)
        whole = {each.on for each in block.closed if not each.hours}
        breaks, shifts = _breaks(block.closed), _shifts(block.open, whole, days, (*path, "open"), findings)
        made[name] = Calendar(name, block.timezone or zone, weekly, frozenset(days | whole), breaks, shifts)
        if len(findings.refusals) > before:
            continue
        try:
            next_open(made[name], effective_from)
        except NeverOpens:
            never = f"calendar `{name}` never opens in the year after it takes effect: give it hours on some weekday"
            findings.refuse(path, "never_opens", never, key=True)
    return made


def _weekly(hours: Mapping[str, Sequence[Span]], path: Path, findings: Findings) -> dict[int, tuple[Span, ...]]:
    weekly: dict[int, tuple[Span, ...]] = {}
    for key, spans in hours.items():
        first, dash, last = key.partition("-")
        unknown = next((day for day in ((first, last) if dash else (first,)) if day not in DAYS), None)
        if unknown is not None:
            near = proposal(unknown, DAYS)
            findings.refuse((*path, key), "wrong_value", f"`{unknown}` is no weekday{near}", key=True)
            continue
        start = DAYS.index(first)
        length = (DAYS.index(last or first) - start) % 7 + 1
        for day in ((start + offset) % 7 for offset in range(length)):
            if day in weekly:
                findings.refuse((*path, key), "wrong_value", f"{DAYS[day]} is listed twice: keep one", key=True)
            weekly[day] = tuple(spans)
    return weekly


def _breaks(closed: Sequence[Closure]) -> dict[date, tuple[Span, ...]]:
    """The parts of dates that are closed."""
    breaks: dict[date, tuple[Span, ...]] = {}
    for each in closed:
        if each.hours:
            breaks[each.on] = (*breaks.get(each.on, ()), *each.hours)
    return breaks


def _shifts(
    opened: Sequence[OpenBlock], closed: Collection[date], public: Collection[date], path: Path, findings: Findings
) -> dict[date, tuple[Span, ...]]:
    """The hours of dates that have hours of their own. Refuses those of dates that are closed, and warns of those on
    public holidays, which stay closed: which dates these are may change with the library.
    """
    shifts: dict[date, tuple[Span, ...]] = {}
    for index, each in enumerate(opened):
        if each.on in shifts:
            findings.refuse((*path, index, "on"), "wrong_value", f"{each.on} is listed twice: write all hours together")
        if each.on in closed:
            both = f"{each.on} is listed under `closed` as well: remove it there, or here"
            findings.refuse((*path, index, "on"), "wrong_value", both)
        elif each.on in public:
            stays = f"{each.on} is a public holiday, which is closed all day: these hours have no effect"
            findings.warn((*path, index, "on"), "no_effect", stays)
        shifts[each.on] = tuple(each.hours)
    return shifts


def _holidays(
    countries: Sequence[str], first_year: int, public: PublicHolidays, path: Path, findings: Findings
) -> set[date]:
    days: set[date] = set()
    for index, code in enumerate(countries):
        key = f"{code} from {first_year}"
        try:
            public[key] = public.get(key) or _of_country(code, first_year)
        except NotImplementedError:
            better = "write a country like BE, or one with its part, like DE-BY"
            findings.refuse((*path, index), "wrong_value", f"no holidays are known for `{code}`: {better}")
        else:
            days |= set(public[key])
    return days


def _of_country(code: str, first_year: int) -> tuple[date, ...]:
    country, _, part = code.partition("-")
    found = holidays.country_holidays(country, part or None, years=range(first_year, first_year + YEARS))
    return tuple(sorted(found))
