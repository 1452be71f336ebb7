"""What was decided and reported about people, from events alone: the decisions on each lead in their order, and which
activities count for it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.scoreboard.domain.audit.notes import LONG_AGO
from shared.domain.events import ActivityRecorded, Event, InquiryReceived, LeadBackdated, LeadMerged, LeadSplit

ENDS = {"rejected", "won", "lost", "consent_withdrawn"}
"""Activities after which nothing is owed on a lead."""
_OF_ONE_LEAD = {"rejected", "won", "lost"}


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that was reported under an id and counts at `at`. `key` identifies it. `known_at` is when it was
    accepted, if that is later, `reason` that of a rejection.
    """

    key: str
    lead_id: str
    kind: str
    at: datetime
    outcome: str | None = None
    by: str | None = None
    known_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Join:
    into: str
    since_at: datetime
    was_lead: bool
    decided_at: datetime = LONG_AGO


@dataclass(slots=True)
class Persons:
    """Some people, by all of their ids. `decisions` are the router's events on each lead, in its order, `stored` the
    activities that the monitor has read and stored, by id and key.
    """

    decisions: dict[str, list[Event]] = field(default_factory=dict)
    activities: dict[str, dict[str, Activity]] = field(default_factory=lambda: defaultdict(dict))
    first_at: dict[str, datetime] = field(default_factory=dict)
    inquiries: list[InquiryReceived] = field(default_factory=list)
    stored: set[tuple[str, str]] = field(default_factory=set)
    _split: dict[str, datetime] = field(default_factory=dict)
    _touched: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _joins: dict[str, _Join] = field(default_factory=dict)
    _parted: dict[str, list[_Join]] = field(default_factory=lambda: defaultdict(list))

    def report(self, activity: Activity) -> None:
        """Add an activity; one that was accepted several times counts as of the first."""
        mine = self.activities[activity.lead_id]
        if activity.key not in mine or activity.at < mine[activity.key].at:
            mine[activity.key] = activity

    def about(self, lead_id: str) -> list[Activity]:
        """The activities that count for a lead, in order of time: under each id of the person, but how sales ended one
        of their leads counts for another only since both were known to be one person.
        """
        top = self.top(lead_id)
        ids = [each for each in {*self.activities, lead_id} if self.top(each) == top]
        found = [a for each in ids for a in self.activities.get(each, {}).values() if self._counts(lead_id, a)]
        return sorted(found, key=lambda activity: (activity.at, activity.key))

    def ended_as_part(self, lead_id: str) -> Iterator[tuple[int, datetime]]:
        """When a lead went on under another id, with the version of the lead that did."""
        for event in self.decisions.get(lead_id, []):
            if isinstance(event, LeadMerged) and event.into is not None:
                yield event.lead_version, event.decided_at

    def split_at(self, lead_id: str) -> datetime | None:
        """When the lead, or one with which it was ever one person, was split from another last; None for never."""
        return max((self._split[each] for each in self._ever_with(lead_id) & self._split.keys()), default=None)

    def split_often(self, lead_id: str) -> bool:
        """Whether an id that was ever one person with the lead became part of another lead more than once."""
        return any(len(self._parted.get(e, ())) + (e in self._joins) > 1 for e in self._ever_with(lead_id))

    def as_one(self, lead_id: str, upto: datetime) -> "Persons":
        """These people as if nobody had ever been split, without what was reported after `upto` under an id that is not
        the lead's any more.
        """
        top = self.top(lead_id)
        known: dict[str, dict[str, Activity]] = defaultdict(dict)
        for each, activities in self.activities.items():
            mine = self.top(each) == top
            known[each] = {key: a for key, a in activities.items() if mine or (a.known_at or a.at) <= upto}
        return replace(
            self, activities=known, _joins={e: parted[-1] for e, parted in self._parted.items()} | self._joins
        )

    def ids_of(self, lead_id: str) -> list[str]:
        """All ids of the person, in their order."""
        return sorted(
            each for each in {*self.decisions, *self.activities, lead_id} if self.top(each) == self.top(lead_id)
        )

    def joined_at(self, one: str, other: str) -> datetime:
        """When it was decided that two ids are of one person; long ago for one id."""
        between = self._joins_of(one) ^ self._joins_of(other)
        return max((each.decided_at for each in between), default=LONG_AGO)

    def _ever_with(self, lead_id: str) -> set[str]:
        seen, new = set[str](), {lead_id}
        while new:
            seen |= new
            new = {other for each in new for other in self._touched.get(each, ())} - seen
        return seen

    def _counts(self, lead_id: str, activity: Activity) -> bool:
        if activity.lead_id == lead_id or activity.kind not in _OF_ONE_LEAD:
            return True
        between = self._joins_of(lead_id) ^ self._joins_of(activity.lead_id)
        return all(activity.at >= join.since_at for join in between if join.was_lead)

    def _joins_of(self, lead_id: str) -> set[_Join]:
        found: set[_Join] = set()
        while lead_id in self._joins and self._joins[lead_id] not in found:
            found.add(self._joins[lead_id])
            lead_id = self._joins[lead_id].into
        return found

    def top(self, lead_id: str) -> str:
        """The id under which the person goes on."""
        seen = {lead_id}
        while lead_id in self._joins and self._joins[lead_id].into not in seen:
            lead_id = self._joins[lead_id].into
            seen.add(lead_id)
        return lead_id

    def decide(self, lead_id: str, events: Sequence[Event]) -> None:
        """Add all decisions on a lead."""
        self.decisions[lead_id] = sorted(events, key=lambda event: getattr(event, "lead_version", 0))
        for event in self.decisions[lead_id]:
            if isinstance(event, LeadMerged) and event.into is not None:
                at = event.one_person_since or event.decided_at
                self._joins.setdefault(lead_id, _Join(event.into, at, event.was is not None, event.decided_at))
                self._touch(lead_id, event.into)
            if isinstance(event, LeadSplit):
                for each in filter(None, (event.lead_id, event.was_part_of, event.split_off)):
                    self._split[each] = max(self._split.get(each, event.decided_at), event.decided_at)
                    self._touch(lead_id, each)
                if event.was_part_of is not None:
                    parted = self._joins.pop(lead_id, None)
                    self._parted[lead_id].append(parted or _Join(event.was_part_of, LONG_AGO, was_lead=False))
            if isinstance(event, LeadMerged | LeadBackdated) and event.received_at is not None:
                lead = event.into or lead_id if isinstance(event, LeadMerged) else lead_id
                self.first_at[lead] = min(self.first_at.get(lead, event.received_at), event.received_at)

    def _touch(self, one: str, other: str) -> None:
        self._touched[one].add(other)
        self._touched[other].add(one)


def persons_of(events: Iterable[Event], activities: Iterable[Activity] = ()) -> Persons:
    """The people in these events; `activities` are what the monitor has stored of what was reported."""
    persons, decisions = Persons(), defaultdict(list)
    for event in events:
        if isinstance(event, ActivityRecorded):
            persons.report(activity_in(event))
        elif isinstance(event, InquiryReceived):
            persons.inquiries.append(event)
        else:
            decisions[event.lead_id].append(event)
    for lead_id, decided in decisions.items():
        persons.decide(lead_id, decided)
    for activity in activities:
        persons.report(activity)
        persons.stored.add((activity.lead_id, activity.key))
    return persons


def activity_in(event: ActivityRecorded) -> Activity:
    """The activity as promises see it."""
    about = (event.key, event.lead_id, event.kind)
    activity = Activity(*about, event.accepted_at, event.outcome, event.by, reason=event.reason)
    return dated(activity, event.happened_at)


def dated(activity: Activity, happened_at: datetime | None) -> Activity:
    """The activity as of when it happened, if its sender was trusted to say so and it was before it was accepted."""
    if happened_at is None or happened_at >= activity.at:
        return activity
    return replace(activity, at=happened_at, known_at=activity.at)
