"""What counts for promises about periods: each lead once per cycle, when it was first handed over to sales, and what
sales decided on it.

A person with several ids counts once, at the earliest hand-off under any of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from services.sla_monitor.domain.opening import REJECTED
from services.sla_monitor.domain.persons import Persons
from services.sla_monitor.domain.window import INQUIRY, Fact, Window, in_time_order
from shared.domain import settlement
from shared.domain.events import LeadAssigned
from shared.domain.lead import HANDED_OVER, Company, Contact

ACCEPTED = "accepted"
DECISIONS = frozenset({ACCEPTED, REJECTED})
DUPLICATE = "duplicate"
"""The reject reason of a lead that sales had already: it was never delivered."""


class HandOff(msgspec.Struct, frozen=True, kw_only=True):
    """A lead's first assignment in a cycle, at `handed_at`. The lead was received at `received_at`, and came `straight`
    to sales if it waited in no queue. Decisions are about this cycle from `starts_at` on. `filled` are the names of
    what was known of contact and company; None if that is not known.

    What counts follows from these, the other ids of the person and the facts: the hand-off at `counts_at`, taking
    `hand_off_s` seconds if it came straight, the acceptance at `accepted_at` and the rejection at `rejected_at`. None
    does not count.
    """

    lead_id: str
    cycle: int
    handed_at: datetime
    received_at: datetime
    straight: bool
    starts_at: datetime
    filled: str | None
    counts_at: datetime | None = None
    hand_off_s: float | None = None
    accepted_at: datetime | None = None
    rejected_at: datetime | None = None

    @property
    def key(self) -> tuple[str, int]:
        """The lead in its cycle."""
        return self.lead_id, self.cycle

    @property
    def instants(self) -> list[datetime]:
        """When it counts for anything."""
        return [at for at in (self.counts_at, self.accepted_at, self.rejected_at) if at is not None]


def handed_off(event: LeadAssigned, windows: Iterable[Window]) -> HandOff | None:
    """The hand-off that an assignment shows, which may have come before it: an earlier release did not count, but left
    `windows` of the lead. None if the first one is not known any more.
    """
    earlier = [each for each in windows if each.generation < event.generation]
    known = seen_in(event.lead_id, event.cycle, earlier)
    if known is not None or (event.cycle == 1 and event.generation > 1):
        return known
    return HandOff(
        lead_id=event.lead_id,
        cycle=event.cycle,
        handed_at=event.assigned_at,
        received_at=event.received_at,
        straight=event.because is None,
        starts_at=settlement.cycle_starts_at(event.received_at, event.previous_ended_at),
        filled=filled_fields(event.contact, event.company),
    )


def seen_in(lead_id: str, cycle: int, windows: Iterable[Window]) -> HandOff | None:
    """The hand-off of a lead that only windows show; None without any of sales in this cycle."""
    of_sales = [each for each in windows if each.side == "sales" and (each.lead_id, each.cycle) == (lead_id, cycle)]
    first = min(of_sales, key=lambda each: each.opened_at, default=None)
    if first is None:
        return None
    return HandOff(
        lead_id=lead_id,
        cycle=cycle,
        handed_at=first.opened_at,
        received_at=first.counts_from_at,
        straight=first.hand_off_s is not None,
        starts_at=first.ends_from_at or first.counts_from_at,
        filled=None,
    )


def filled_fields(contact: Contact, company: Company) -> str:
    """The names of the fields that have a value, in order."""
    given: dict[str, Contact | Company] = {"contact": contact, "company": company}
    return " ".join(
        f"{kind}.{name}"
        for kind, each in given.items()
        for name in each.__struct_fields__
        if getattr(each, name) not in {None, ""}
    )


def is_complete(filled: str, fields: Iterable[str]) -> bool:
    """Whether all of these fields that a hand-off carries are filled."""
    return {*fields} & HANDED_OVER <= {*filled.split()}


def counted(
    hand_offs: Sequence[HandOff], persons: Persons, facts: Mapping[str, Sequence[Fact]], tolerance: timedelta
) -> list[HandOff]:
    """All hand-offs of these people with what counts of each. `facts` are by the id under which they were reported."""
    by_person: defaultdict[str, list[HandOff]] = defaultdict(list)
    for each in hand_offs:
        by_person[persons.lead_of(each.lead_id)].append(each)
    return [done for theirs in by_person.values() for done in _of_person(theirs, persons, facts, tolerance)]


def _of_person(
    theirs: Sequence[HandOff], persons: Persons, facts: Mapping[str, Sequence[Fact]], tolerance: timedelta
) -> list[HandOff]:
    cycles: defaultdict[int, list[HandOff]] = defaultdict(list)
    for each in theirs:
        cycles[each.cycle].append(each)
    starts = {number: min(each.starts_at for each in same) for number, same in cycles.items()}
    known: defaultdict[int, dict[str, Fact]] = defaultdict(dict)
    for lead_id in {each.lead_id for each in theirs}:
        for fact in persons.facts_for(lead_id, facts):
            begun = [
                (starts_at, number) for number, starts_at in starts.items() if starts_at <= fact.accepted_at + tolerance
            ]
            if begun and fact.kind in DECISIONS:
                known[max(begun)[1]][fact.activity_id] = fact
    return [done for number, same in cycles.items() for done in _of_cycle(same, list(known[number].values()), facts)]


def _of_cycle(same: Sequence[HandOff], decisions: Sequence[Fact], facts: Mapping[str, Sequence[Fact]]) -> list[HandOff]:
    """One person's hand-offs of one cycle: the earliest counts."""
    first = min(same, key=lambda each: (each.handed_at, each.lead_id))
    none = {"counts_at": None, "hand_off_s": None, "accepted_at": None, "rejected_at": None}
    others = [msgspec.structs.replace(each, **none) for each in same if each is not first]
    in_order = sorted(decisions, key=in_time_order)
    accepted_at = next((each.accepted_at for each in in_order if each.kind == ACCEPTED), None)
    rejections = [each for each in in_order if each.kind == REJECTED]
    if accepted_at is None and any(each.reason == DUPLICATE for each in rejections):
        return [msgspec.structs.replace(first, **none), *others]
    done = msgspec.structs.replace(
        first,
        counts_at=first.handed_at,
        hand_off_s=_hand_off_s(first, facts),
        accepted_at=accepted_at,
        rejected_at=rejections[0].accepted_at if rejections else None,
    )
    return [done, *others]


def _hand_off_s(first: HandOff, facts: Mapping[str, Sequence[Fact]]) -> float | None:
    if not first.straight:
        return None
    inquiries = [each.accepted_at for each in facts.get(first.lead_id, ()) if each.kind == INQUIRY and first.cycle == 1]
    return max((first.handed_at - min([first.received_at, *inquiries])).total_seconds(), 0.0)
