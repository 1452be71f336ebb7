"""Whether marketing kept a promise about a period, by the rules of docs/promises.md, written once more: each lead
counts once per cycle, when it was first handed over under any id of the person, and with what sales decided on it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from services.scoreboard.domain.audit.comparison import Finding, Status, announced_as, finding_on
from services.scoreboard.domain.audit.persons import Activity, Persons
from services.scoreboard.domain.audit.record import FoundWindow, Record
from services.scoreboard.domain.audit.working_time import NotChecked, written
from shared.domain.agreement import Commitment
from shared.domain.events import Event, LeadAssigned, LeadBackdated, LeadMerged, LeadSplit

_JUST_AFTER = timedelta(microseconds=1)
_READING_LAG = timedelta(seconds=30)
_LATE_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Counted:
    """A person who was handed over once. `waited_s` is how long that took, None if they waited in a queue; `filled` are
    the names of what was known of them. `changed_at` is when it last turned out who is one person.
    """

    handed_at: datetime
    waited_s: float | None
    filled: frozenset[str]
    accepted_at: datetime | None
    rejected_at: datetime | None
    changed_at: datetime | None


@dataclass(slots=True)
class Tally:
    """What counts in one period."""

    starts_at: datetime
    ends_at: datetime
    handed: list[Counted] = field(default_factory=list)
    accepted: int = 0
    rejected: int = 0
    changed_late: bool = False

    def add(self, each: Counted) -> None:
        """Count a person who was handed over."""
        handed, accepted = self._has(each.handed_at), self._has(each.accepted_at)
        stayed_rejected = each.accepted_at is None or each.accepted_at >= self.ends_at
        rejected = self._has(each.rejected_at) and stayed_rejected
        self.handed += [each] if handed else []
        self.accepted += accepted
        self.rejected += rejected
        late = each.changed_at is not None and each.changed_at >= self.ends_at
        self.changed_late |= late and (handed or accepted or rejected)

    def _has(self, at: datetime | None) -> bool:
        return at is not None and self.starts_at <= at < self.ends_at

    def share(self, commitment: Commitment) -> tuple[int, int]:
        """How many count for the promise, and of how many."""
        if commitment.measure == "completeness":
            wanted = {*commitment.fields}
            return sum(wanted <= each.filled for each in self.handed), len(self.handed)
        if commitment.measure == "hand_off_latency":
            straight = [each.waited_s for each in self.handed if each.waited_s is not None]
            return sum(waited_s <= float(commitment.target) for waited_s in straight), len(straight)
        decided = self.accepted + self.rejected if commitment.measure == "accepted_share" else len(self.handed)
        return self.accepted, decided

    def state(self, commitment: Commitment) -> str:
        """How the promise should have ended."""
        counted, of = self.share(commitment)
        if commitment.measure == "volume":
            return "met" if counted >= commitment.target else "breached"
        least = Decimal("0.95") if commitment.measure == "hand_off_latency" else commitment.target
        if not of:
            return "cancelled"
        return "met" if counted >= least * of else "breached"


def handed_over(persons: Persons, lead_ids: Iterable[str], tolerance: timedelta) -> Iterator[tuple[str, list[Counted]]]:
    """The people with these ids, each once, by the id under which they go on. Raises NotChecked."""
    for top in sorted({persons.top(lead_id) for lead_id in lead_ids}):
        ids = [each for each in persons.decisions if persons.top(each) == top]
        yield top, list(_of_person(ids, persons, tolerance))


def _of_person(ids: Sequence[str], persons: Persons, tolerance: timedelta) -> Iterator[Counted]:
    if any(persons.split_at(each) is not None for each in ids):
        raise NotChecked("a lead of its period was merged and split again")
    firsts = [first for lead_id in ids for first in _firsts(persons.decisions[lead_id])]
    starts: dict[int, datetime] = {}
    for event in firsts:
        starts[event.cycle] = min(starts.get(event.cycle, _starts_at(event)), _starts_at(event))
    decided: dict[int, dict[str, Activity]] = defaultdict(dict)
    for lead_id in {event.lead_id for event in firsts}:
        for activity in persons.about(lead_id):
            begun = [(at, cycle) for cycle, at in starts.items() if at <= activity.at + tolerance]
            if begun and activity.kind in ("accepted", "rejected"):
                decided[max(begun)[1]][activity.key] = activity
    changes = [getattr(e, "decided_at", None) for each in ids for e in persons.decisions[each] if _changes(e)]
    changed_at = max((at for at in changes if at is not None), default=None)
    for cycle in starts:
        same = [event for event in firsts if event.cycle == cycle]
        first = min(same, key=lambda event: (event.assigned_at, event.lead_id))
        counted = _counted(first, list(decided[cycle].values()), persons, changed_at)
        if counted is not None:
            yield counted


def _firsts(events: Sequence[Event]) -> Iterator[LeadAssigned]:
    """The first assignment of each cycle of a lead."""
    firsts: dict[int, LeadAssigned] = {}
    for event in events:
        if isinstance(event, LeadAssigned):
            known = firsts.get(event.cycle)
            firsts[event.cycle] = event if known is None or event.generation < known.generation else known
    if 1 in firsts and firsts[1].generation > 1:
        raise NotChecked("a hand-off of its period is not in the timeline any more")
    yield from firsts.values()


def _starts_at(event: LeadAssigned) -> datetime:
    if event.previous_ended_at is None:
        return event.received_at
    return max(event.received_at, event.previous_ended_at + _JUST_AFTER)


def _changes(event: Event) -> bool:
    if isinstance(event, LeadMerged):
        return event.into is not None
    return isinstance(event, LeadSplit | LeadBackdated)


def _counted(
    first: LeadAssigned, decisions: Sequence[Activity], persons: Persons, changed_at: datetime | None
) -> Counted | None:
    """What counts of a hand-off; None for a lead that sales rejected because they had it already."""
    accepted = [each.at for each in decisions if each.kind == "accepted"]
    rejected = [each.at for each in decisions if each.kind == "rejected"]
    if not accepted and any(each.reason == "duplicate" for each in decisions):
        return None
    received_at = first.received_at
    if first.cycle == 1:
        received_at = min(received_at, persons.first_at.get(first.lead_id, received_at))
    waited_s = max((first.assigned_at - received_at).total_seconds(), 0.0) if first.because is None else None
    filled = {
        f"{kind}.{name}"
        for kind, each in (("contact", first.contact), ("company", first.company))
        for name in each.__struct_fields__
        if getattr(each, name) not in (None, "")
    }
    return Counted(
        first.assigned_at,
        waited_s,
        frozenset(filled),
        min(accepted, default=None),
        min(rejected, default=None),
        changed_at,
    )


def period_finding(window: FoundWindow, commitment: Commitment, tally: Tally, record: Record) -> Finding:
    """What there is to say about a promise on a period, given what counts in it."""
    verdict_at = window.due_at + window.tolerance + _READING_LAG + _JUST_AFTER
    counted, of = tally.share(commitment)
    why = f"{counted} of {of} in the period that ended {written(window.due_at)}"
    if window.counts_from_at is not None and window.counts_from_at > window.opened_at:
        return finding_on(window, "not checked", why="counted only during a part of its period")
    right = {tally.state(commitment)}
    if record.now < verdict_at:
        right = {"open"}
    elif record.known_upto is None or record.known_upto < verdict_at:
        right |= {"open"}
    announced = announced_as(record.announced.get(window.window_id, frozenset()))
    wrong = [f"{window.stored_state} in lists"] if window.stored_state != window.state else []
    wrong += [f"announced as {announced}"] if announced != window.state else []
    late = window.state == "open" and record.now > verdict_at + _LATE_AFTER
    if window.state == "open" and record.now >= verdict_at and not wrong:
        return finding_on(window, "undecided", " or ".join(sorted(right)), "open", why, late=late)
    if window.state not in right and tally.changed_late:
        return finding_on(window, "not checked", why="who is one person turned out after its period")
    status: Status = "different" if wrong or window.state not in right else "right"
    status = "undecided" if status == "right" and window.state == "open" else status
    return finding_on(window, status, " or ".join(sorted(right)), "; ".join((window.state, *wrong)), why)
