"""Who agreed on what and from when, the facts that rules look at, and working hours, in sentences."""

from collections.abc import Iterator
from datetime import date

from shared.agreement_text.calendars import closed_in_words, exceptions_in_words, hours_in_words
from shared.agreement_text.conditions import fact_in_words
from shared.agreement_text.phrases import day, moment, quoted, sentence
from shared.agreement_text.section import Section, Table
from shared.agreement_text.terms import fact_kind
from shared.domain.agreement import Agreement
from shared.domain.not_watched import MARK

SIDES = ("marketing", "sales")


def sections(agreement: Agreement, today: date) -> Iterator[Section]:
    """The sections before the first rule."""
    yield Section("The agreement", tuple(_head(agreement)))
    yield Section("Approvals", tuple(_approvals(agreement)))
    if agreement.fields:
        rows = tuple((name, fact_in_words(name), fact_kind(kind)) for name, kind in agreement.fields.items())
        about = (
            "Besides what every inquiry carries, the rules may look at these facts, each with its own kind of value."
        )
        yield Section("What the rules may look at", (about,), Table(("Fact", "In words", "Value"), rows))
    if agreement.calendars:
        yield _calendars(agreement, today)


def _head(agreement: Agreement) -> Iterator[str]:
    yield f"This is {quoted(agreement.name)}, version {agreement.version}."
    yield f"It takes effect on {moment(agreement.effective_from, agreement.timezone)}."
    money = f" Amounts are in {agreement.currency} ({MARK})." if agreement.currency else ""
    yield f"Times are those of {agreement.timezone}, unless a calendar says otherwise.{money}"
    if agreement.review:
        material = agreement.review.content_every
        more = f", and the material every {material}" if material else ""
        yield f"Both sides review it every {agreement.review.every}{more} ({MARK})."
    yield f"Every decision names the version it was made under by its fingerprint, {agreement.hash}."


def _approvals(agreement: Agreement) -> Iterator[str]:
    for side in SIDES:
        approval = agreement.approved_by.get(side)
        if approval is None:
            yield f"{side.capitalize()} has not approved it; without both approvals it does not take effect."
        else:
            yield f"For {side}, {approval.name} approved it on {day(approval.on)}."
    for side, approval in agreement.approved_by.items():
        if side not in SIDES:
            yield f"For {side}, {approval.name} approved it on {day(approval.on)}."


def _calendars(agreement: Agreement, today: date) -> Section:
    calendars = agreement.calendars.items()
    rows = tuple(
        (name, sentence(hours_in_words(calendar))[:-1], calendar.zone, closed_in_words(calendar, today))
        for name, calendar in calendars
    )
    other = tuple(f"{name}, {dated}." for name, calendar in calendars for dated in exceptions_in_words(calendar))
    about = "Working time runs only while a calendar is open; clocks on it stand still when it is closed."
    return Section("Working hours", (about, *other), Table(("Calendar", "Open", "Time zone", "Holidays"), rows))
