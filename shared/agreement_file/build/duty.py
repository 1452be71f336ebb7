"""The duty rota of the file: who is a role, by turns, by a calendar, or always; with overrides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from shared.agreement_file.schema.agreement_schema import PersonBlock
from shared.agreement_file.schema.duty_schema import DutyBlock, DutyRole, OverrideBlock
from shared.agreement_file.text.findings import Findings, Path
from shared.agreement_file.text.values import instant_in
from shared.domain.agreement import Agreement
from shared.domain.duty import Duty, Rota, Shift, gaps
from shared.domain.errors import Refused
from shared.domain.zones import time_zone

MAX_OVERRIDES = 100
GAPS_AHEAD = timedelta(days=90)
"""How far ahead a check looks for times during which nobody is on duty."""
_GAPS_SHOWN = 3
_KINDS = ("rota", "always", "calendar")


@dataclass(frozen=True, slots=True)
class _Context:
    """What the duty of every role is built with; `people` is None if they could not be read."""

    agreement: Agreement
    zone: ZoneInfo
    people: Mapping[str, PersonBlock] | None
    files: Mapping[str, str]
    findings: Findings


def duty_of(
    blocks: Mapping[DutyRole, DutyBlock],
    people: Sequence[PersonBlock] | None,
    agreement: Agreement,
    files: Mapping[str, str],
    findings: Findings,
) -> dict[str, Duty]:
    """Who each role is. Refuses people who are unknown or not active, and overrides that end before they begin or
    overlap. `agreement` is the one to which the duty will belong, `files` are the texts of calendars.
    """
    known = None if people is None else {person.id: person for person in people}
    context = _Context(agreement, time_zone(agreement.timezone), known, files, findings)
    return {role: _duty(("duty", role), block, context) for role, block in blocks.items()}


def warn_of_gaps(agreement: Agreement, findings: Findings, now: datetime) -> None:
    """A warning for each role that nobody is at times, from `now` or when the agreement takes effect."""
    since_at, zone = max(now, agreement.effective_from), time_zone(agreement.timezone)
    for role in agreement.duty:
        found = [
            f"from {begins_at.astimezone(zone):%Y-%m-%d %H:%M} to {ends_at.astimezone(zone):%Y-%m-%d %H:%M}"
            for begins_at, ends_at in gaps(agreement.duty, role, since_at, since_at + GAPS_AHEAD)
        ]
        if found:
            more = f" and {len(found) - _GAPS_SHOWN} more times" if len(found) > _GAPS_SHOWN else ""
            when = f"{', '.join(found[:_GAPS_SHOWN])}{more}"
            nobody = f"in the next {GAPS_AHEAD.days} days nobody is `{role}` {when}: add someone, or an override"
            findings.warn(("duty", role), "nobody_on_duty", nobody, key=True)


def _duty(path: Path, block: DutyBlock, context: _Context) -> Duty:
    written = [kind for kind in _KINDS if getattr(block, kind) is not None]
    if len(written) != 1:
        one = f"say who is `{path[-1]}` in one way: by a `rota`, `always` the same person, or by a `calendar`"
        context.findings.refuse(path, "wrong_value" if written else "missing", one, key=True)
    if block.always is not None:
        _check_person(block.always, (*path, "always"), context)
    return Duty(
        always=block.always,
        rota=_rota(path, block, context),
        calendar=block.calendar,
        shifts=_shifts(block.calendar, (*path, "calendar"), context) if block.calendar is not None else (),
        overrides=_overrides(block.override, (*path, "override"), context),
    )


def _rota(path: Path, block: DutyBlock, context: _Context) -> Rota | None:
    timing = {"turn": block.turn, "starts": block.starts}
    if block.rota is None:
        alone = block.always is None and block.calendar is None
        for key in (key for key, value in timing.items() if value is not None and not alone):
            context.findings.refuse((*path, key), "unreachable", f"`{key}` belongs to a `rota`: remove it", key=True)
        return None
    for index, person in enumerate(block.rota):
        _check_person(person, (*path, "rota", index), context)
    if block.turn is None or block.starts is None:
        how = "say how long a turn is and when the first one begins: `turn: week, starts: 2026-11-30T09:00`"
        context.findings.refuse((*path, "rota"), "missing", how, key=True)
        return None
    starts = block.starts.astimezone(context.zone).replace(tzinfo=None) if block.starts.tzinfo else block.starts
    return Rota(tuple(block.rota), block.turn, starts, context.zone.key)


def _shifts(name: str, path: Path, context: _Context) -> tuple[Shift, ...]:
    if name not in context.files or context.people is None:
        return ()
    from shared.agreement_file.build.duty_calendar import shifts_of  # noqa: PLC0415 (the library is large, and rare)

    inactive = {person.id for person in context.people.values() if not person.active}
    names = {person.id.casefold(): person.id for person in context.people.values()}
    names |= {person.email: person.id for person in context.people.values()}
    try:
        shifts = shifts_of(context.files[name], context.zone, context.agreement.effective_from, names)
    except Refused as refused:
        wrong = f"`{name}`: {refused.detail[0].lower()}{refused.detail[1:].rstrip('.')}"
        context.findings.refuse(path, "calendar", wrong)
        return ()
    for person in sorted({shift.person for shift in shifts} & inactive):
        _refuse_inactive(person, path, context)
    return shifts


def _overrides(blocks: Sequence[OverrideBlock], path: Path, context: _Context) -> tuple[Shift, ...]:
    if len(blocks) > MAX_OVERRIDES:
        many = f"a role has at most {MAX_OVERRIDES} overrides, not {len(blocks)}: remove those that are over"
        context.findings.refuse(path, "too_many", many, key=True)
        return ()
    made: list[tuple[datetime, int, Shift]] = []
    for index, block in enumerate(blocks):
        _check_person(block.who, (*path, index, "who"), context)
        starts_at, ends_at = instant_in(block.from_, context.zone), instant_in(block.to, context.zone)
        if ends_at <= starts_at:
            ends = "the override ends before it begins: let `to` be later than `from`"
            context.findings.refuse((*path, index, "to"), "wrong_value", ends)
        else:
            made.append((starts_at, index, Shift(block.who, starts_at, ends_at)))
    made.sort(key=lambda each: each[:2])
    for (_, before, first), (_, index, second) in pairwise(made):
        if second.starts_at < first.ends_at:
            until = f"{first.ends_at.astimezone(context.zone):%Y-%m-%d %H:%M}"
            overlap = f"this overlaps override {before + 1}, of `{first.person}` until {until}: let one end before"
            context.findings.refuse((*path, index), "overlap", overlap)
    return tuple(shift for *_, shift in made)


def _check_person(person: str, path: Path, context: _Context) -> None:
    if context.people is None:
        return
    if person not in context.people:
        context.findings.refuse_unknown(path, "person", person, context.people)
    elif not context.people[person].active:
        _refuse_inactive(person, path, context)


def _refuse_inactive(person: str, path: Path, context: _Context) -> None:
    gone = f"`{person}` is not active and can't be on duty: name someone else"
    context.findings.refuse(path, "inactive", gone)
