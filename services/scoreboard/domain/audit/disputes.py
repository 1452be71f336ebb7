"""Who owes an answer to a dispute, and by when: the rules of docs/promises.md, written once more.

The rep who had the lead last by then does. A person may have several leads, under several ids, and the monitor may have
read of a merge or of an assignment only after the dispute. So there may be several of whom one owes the answer.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.scoreboard.domain.audit.expected import Departure, Expected, of_operations, with_due
from services.scoreboard.domain.audit.notes import LONG_AGO, READ_WITHIN
from services.scoreboard.domain.audit.persons import Activity, Persons
from services.scoreboard.domain.audit.working_time import due_at
from shared.domain.agreement import Agreement
from shared.domain.calendar import ALWAYS
from shared.domain.events import LeadRescheduled, LeaveInterval
from shared.domain.ids import event_id

DISPUTES = "disputes"
PART = "part of another lead"

_NONE = (0, "")
"""The rank of nobody."""

_Owed = Callable[[str], Sequence[Expected]]


def disputes_on(lead_id: str, persons: Persons, owed: _Owed, tolerance: timedelta) -> Iterator[Expected]:
    """The answers that are owed on a lead, each as all that it may be; `owed` gives the promises on a lead of the
    person. Raises NotChecked.
    """
    disputes = [each for each in persons.about(lead_id) if each.kind == "disputed"]
    ids = persons.ids_of(lead_id) if disputes else []
    promises = {each: [promise for promise in owed(each) if promise.generation] for each in ids}
    for dispute in disputes:
        holders = list(_holders(dispute, persons, promises))
        late = {late for each in holders for late in _lateness(each.agreement, dispute, persons, ids, tolerance)}
        unpromised = any(DISPUTES not in each.agreement.operations for each in holders)
        if late == {True}:
            continue
        instead = tuple({_window_id(each, dispute) for each in holders if each.lead_id != lead_id})
        for each in holders:
            if each.lead_id == lead_id and DISPUTES in each.agreement.operations:
                for answer in _answers(each, dispute, persons):
                    yield replace(answer, instead=instead, perhaps=unpromised or True in late)


def _holders(dispute: Activity, persons: Persons, promises: Mapping[str, Sequence[Expected]]) -> Iterator[Expected]:
    """Those who may have had the lead last, by all that the monitor knew when it read the dispute: whoever got it later
    than someone of whom it surely knew.
    """
    had = {each: [e for e in owed if e.opened_at <= dispute.at] for each, owed in promises.items()}
    joined = {each: persons.joined_at(dispute.lead_id, each) for each in had}
    known = {
        each: max((_rank(e) for e in owed if e.opened_at + READ_WITHIN <= max(dispute.at, joined[each])), default=_NONE)
        for each, owed in had.items()
    }
    surely = max((known[each] for each in had if joined[each] <= dispute.at - READ_WITHIN), default=_NONE)
    for each, owed in had.items():
        yield from (e for e in owed if _rank(e) >= max(surely, known[each]))


def _rank(expected: Expected) -> tuple[int, str]:
    return expected.generation, expected.window_id


def _answers(holder: Expected, dispute: Activity, persons: Persons) -> Iterator[Expected]:
    """What the holder owes, under each leave of theirs that may have been known. If the lead went on under another id
    before the dispute, that may have ended this too, or not: it depends on which was read first.
    """
    promise = holder.agreement.operations[DISPUTES]
    ids = (holder.lead_id, _window_id(holder, dispute))
    over = tuple(each for each in holder.departures if not each.ladder_goes_on and each.at >= dispute.at)
    parts = [Departure(at, PART) for version, at in persons.ended_as_part(holder.lead_id) if holder.version < version]
    leaves = list(dict.fromkeys(_leaves(holder, persons)))
    for ends in {tuple(parts), tuple(each for each in parts if each.at >= dispute.at)}:
        for leave in leaves:
            answer = of_operations(promise, holder.agreement, holder.owner, dispute.at, ids)
            known = (*(each for each in leaves if each != leave), leave)
            yield with_due(
                replace(
                    answer,
                    version=holder.version,
                    kinds=("accepted", "rejected"),
                    leaves=known,
                    departures=(*over, *ends),
                )
            )


def _leaves(holder: Expected, persons: Persons) -> Iterator[tuple[LeaveInterval, ...]]:
    yield from holder.leaves
    for event in persons.decisions.get(holder.lead_id, []):
        if isinstance(event, LeadRescheduled) and event.rep.id == holder.owner:
            yield tuple(event.owner_leave)


def _lateness(
    agreement: Agreement, dispute: Activity, persons: Persons, ids: Iterable[str], tolerance: timedelta
) -> Iterator[bool]:
    """Whether the last rejection is longer ago than the agreement lets marketing dispute it, by the first calendar of
    the agreement that closes: for all that may have been known, under each id.
    """
    for each in ids:
        rejected = [a for a in persons.about(each) if a.kind == "rejected" and a.at <= dispute.at]
        surely = [a for a in rejected if a.lead_id == dispute.lead_id or a.at + READ_WITHIN <= dispute.at]
        for known in (rejected, surely):
            last_at = max((a.at for a in known), default=LONG_AGO)
            yield last_at > LONG_AGO and _too_late(agreement, last_at, dispute.at - tolerance)


def _too_late(agreement: Agreement, rejected_at: datetime, disputed_at: datetime) -> bool:
    within = agreement.dispute_within
    if within is None:
        return False
    office = next((each for each in agreement.calendars.values() if not each.always), ALWAYS)
    return disputed_at > due_at(within, office, rejected_at, (), wall=True)


def _window_id(holder: Expected, dispute: Activity) -> str:
    return event_id("window", holder.lead_id, DISPUTES, "activity", dispute.key)
