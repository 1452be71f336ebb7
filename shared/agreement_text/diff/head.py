"""What changed in the head, the facts and the working hours."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from shared.agreement_text.calendars import hours_in_words, spans_in_words
from shared.agreement_text.diff.comparison import keyed, reads, titled
from shared.agreement_text.phrases import counted, day, listed, moment, quoted
from shared.agreement_text.terms import fact_kind
from shared.domain.agreement import Agreement
from shared.domain.approvals import Approval
from shared.domain.calendar import Calendar, Span

_NAMED = 3


def head(old: Agreement, new: Agreement) -> Iterator[str]:
    """Name, version, dates, approvals, zone, currency and review."""
    yield from reads("the name", old.name, new.name, quoted)
    yield from reads("the version", old.version, new.version)
    if old.effective_from != new.effective_from:
        begins = [moment(one.effective_from, new.timezone) for one in (new, old)]
        yield f"it takes effect on {begins[0]} (was {begins[1]})"
    for side in sorted({*old.approved_by, *new.approved_by}):
        was, now = old.approved_by.get(side), new.approved_by.get(side)
        yield from reads(f"the approval of {side}", was, now, _approval)
    yield from reads("the time zone", old.timezone, new.timezone)
    yield from reads("the currency", old.currency, new.currency, nothing="none")
    was_review, review = old.review, new.review
    yield from reads("the review", was_review and was_review.every, review and review.every, _every, "never")
    yield from reads(
        "the review of the material",
        was_review and was_review.content_every,
        review and review.content_every,
        _every,
        "never",
    )


def facts(old: Agreement, new: Agreement) -> Iterator[str]:
    """The facts that rules may look at."""
    return keyed(
        old.fields,
        new.fields,
        lambda name, kind: f"rules may now look at {quoted(name)}: {fact_kind(kind)}",
        lambda name, _: f"rules no longer look at {quoted(name)}",
        lambda name, was, now: reads(quoted(name), was, now, fact_kind),
    )


def calendars(old: Agreement, new: Agreement) -> Iterator[str]:
    """Hours, zones, closed days and dates with hours of their own.

    Holidays are known for some years around the date on which an agreement takes effect. Differences that only result
    from another year do not count.
    """
    same_years = old.effective_from.year == new.effective_from.year
    return keyed(
        old.calendars,
        new.calendars,
        lambda name, calendar: f"calendar {quoted(name)} is new: {hours_in_words(calendar)} ({calendar.zone})",
        lambda name, _: f"calendar {quoted(name)} is gone",
        lambda name, was, now: titled("calendar", name, _calendar(was, now, same_years=same_years)),
    )


def _calendar(was: Calendar, now: Calendar, *, same_years: bool) -> Iterator[str]:
    yield from reads("its name", was.name, now.name)
    yield from reads("its time zone", was.zone, now.zone)
    if was.weekly != now.weekly:
        yield from reads("the working time", hours_in_words(was), hours_in_words(now))
    before, after = set(was.holidays), set(now.holidays)
    if before and after and not same_years:
        first = max(min(before).year, min(after).year)
        last = min(max(before).year, max(after).year)
        before, after = ({on for on in days if first <= on.year <= last} for days in (before, after))
    if came := sorted(after - before):
        yield f"now also closed on {_days(came)}"
    if went := sorted(before - after):
        yield f"no longer closed on {_days(went)}"
    yield from _dated("hours", was.shifts, now.shifts)
    yield from _dated("breaks", was.breaks, now.breaks)


def _dated(what: str, was: Mapping[date, Sequence[Span]], now: Mapping[date, Sequence[Span]]) -> Iterator[str]:
    for on in sorted({*was, *now}):
        before, after = (spans_in_words(days[on]) if on in days else None for days in (was, now))
        yield from reads(f"the {what} of {day(on)}", before, after, nothing="as usual")


def _days(days: Sequence[date]) -> str:
    if len(days) <= _NAMED:
        return listed(map(day, days))
    return f"{counted(len(days), 'day')}: {', '.join(map(day, days[:_NAMED]))} and so on to {day(days[-1])}"


def _approval(approval: Approval) -> str:
    return f"that of {approval.name} on {day(approval.on)}"


def _every(period: str) -> str:
    return f"every {period}"
