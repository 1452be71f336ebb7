"""Which promises were kept, from the facts alone, and where the verdicts on the topics say otherwise."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from tests.torture.ledger import Activity, Evidence, Finding, Ledger, Record, Rules
from tests.torture.persons import ENDS, MERGED, judges

OWNED = ("baton.lead.assigned.v1", "baton.lead.reassigned.v1")
FIRST_RESPONSE = "first_response"
BREACHED = "baton.window.breached.v1"
RETRACTED = "baton.breach.retracted.v1"
_ENDS = {
    "baton.window.met.v1": "met",
    BREACHED: "breached",
    "baton.window.cancelled.v1": "cancelled",
    RETRACTED: "retracted",
}


@dataclass
class Promise:
    """One promise to answer one lead, of the owner of one generation. `rescored` ones are of an owner who had the lead
    before, when another inquiry raised its score.
    """

    lead_id: str
    generation: int
    assigned_at: datetime
    starts_at: datetime
    due_at: datetime
    received_at: datetime
    previous_ended_at: datetime | None = None
    rescored: bool = False
    reopened: bool = False
    moved_at: datetime | None = None
    opened: bool = False
    ended: list[str] = field(default_factory=list)
    breached: list[Record] = field(default_factory=list)

    def cycle_from(self, came_at: datetime | None) -> datetime:
        """From when an end of the lead is about its present cycle; `came_at` is when the person first asked."""
        if self.previous_ended_at is None:
            return min(self.received_at, came_at or self.received_at)
        return max(self.received_at, self.previous_ended_at + timedelta(microseconds=1))

    @property
    def name(self) -> str:
        """How findings call it."""
        return f"{self.lead_id} generation {self.generation}"


class _Fact(NamedTuple):
    """An activity, reported under an id of the person. A clock that was ahead dated it `latest_at`, though it had been
    answered at `earliest_at`: then the product may take it for either, since it knows when it learned of it. One that
    its sender dated happened at both, and is `known_at` the instant of its acceptance. What another process had
    accepted before is here `again`: the first acceptance counts, unless the other was read first.
    """

    reported_under: str
    kind: str
    earliest_at: datetime
    latest_at: datetime
    known_at: datetime
    again: bool = False


class _Merge(NamedTuple):
    """An id of a person that ended, which was decided at `decided_at`. `was_lead` says whether it had been a lead; both
    leads are one person since `one_person_since`.
    """

    decided_at: datetime
    one_person_since: datetime
    was_lead: bool


@dataclass
class Facts:
    """Everything that was reported about everybody."""

    persons: Mapping[str, str]
    merges: Mapping[str, _Merge]
    came_at: Mapping[str, datetime]
    by_person: Mapping[str, Sequence[_Fact]]

    def on(self, lead_id: str) -> list[_Fact]:
        """What counts for a lead, under whichever id of the person it was reported."""
        found = self.by_person.get(self.persons.get(lead_id, lead_id), ())
        return [fact for fact in found if fact.reported_under == lead_id or self._concerns(lead_id, fact)]

    def _concerns(self, lead_id: str, fact: _Fact) -> bool:
        """Whether what was reported under another id is about this lead too. How sales ended one of a person's leads,
        before anyone knew that they are one person, is about that lead only.
        """
        ended = self.merges.get(fact.reported_under) or self.merges.get(lead_id)
        if fact.kind not in ENDS or ended is None:
            return True
        was_lead = ended.was_lead or fact.reported_under not in self.merges
        return not was_lead or fact.latest_at >= ended.one_person_since


def window_findings(ledger: Ledger, evidence: Evidence, records: Sequence[Record], rules: Rules) -> Iterator[Finding]:
    """Everything that is wrong with promises."""
    facts = facts_of(evidence.records, ledger)
    promises = promises_of(records)
    sent = defaultdict(list)
    for activity in ledger.activities.values():
        sent[activity.person].append(activity)
    running: dict[str, Promise] = {}
    for _, promise in sorted(promises.items()):
        before = running.get(promise.lead_id)
        if promise.rescored and before is not None:
            yield from _goes_on(before, promise, facts, rules)
        if promise.opened or not promise.rescored:
            running[promise.lead_id] = promise
            mine = sent[facts.persons.get(promise.lead_id, promise.lead_id)]
            yield from _findings(promise, facts, mine, evidence, rules)


def _findings(
    promise: Promise, facts: Facts, sent: Sequence[Activity], evidence: Evidence, rules: Rules
) -> Iterator[Finding]:
    decide_at = promise.due_at + timedelta(seconds=rules.tolerance_s)
    counting = _counting(promise, facts, rules)
    ends = [f for f in counting if f.kind in rules.met_by | rules.ended_by]
    in_time = [f for f in ends if f.latest_at <= decide_at and not f.again]
    moved = promise.moved_at is not None and promise.moved_at <= decide_at
    # An inquiry that was still on its way when the lead was assigned may show that a follow-up counted after all, and
    # so may the news that an id under which it was reported is the same person's. A move may be read late, too.
    late_inquiry = all(f.earliest_at < promise.starts_at - timedelta(seconds=rules.tolerance_s) for f in counting)
    elsewhere = bool(in_time) and all(f.reported_under != promise.lead_id for f in in_time)
    dated = any(f.latest_at < f.known_at for f in in_time)
    may_retract = moved or dated or (bool(counting) and (late_inquiry or elsewhere))
    retracted = "retracted" in promise.ended and may_retract
    breached = bool(promise.breached) and not retracted
    yield from _once(promise, evidence, may_retract=may_retract)
    if breached and elsewhere and "retracted" not in promise.ended:
        yield Finding("overlooked id", f"{promise.name}: a follow-up or end came by {decide_at} under another id")
    elif breached and (in_time or moved):
        yield Finding("false breach", f"{promise.name}: a follow-up, end or move came by {decide_at}")
    if not breached and not (ends or moved):
        yield Finding("missed breach", f"{promise.name}: nothing came by {decide_at}")
    if "met" in promise.ended and not any(f.kind in rules.met_by for f in counting):
        yield Finding("false meeting", f"{promise.name} is met, but by nothing that came by {decide_at}")
    yield from _by_own_clock(promise, sent, decide_at, rules, moved=moved, breached=breached)


def _counting(promise: Promise, facts: Facts, rules: Rules) -> list[_Fact]:
    """What counts for a promise: since it starts, or just before that, until just after it is due."""
    tolerance = timedelta(seconds=rules.tolerance_s)
    known, came_at = facts.on(promise.lead_id), facts.came_at.get(promise.lead_id)
    first_at = came_at or promise.starts_at if promise.generation == 1 else promise.starts_at
    starts_at = min(promise.starts_at, first_at)
    earlier = [f for f in known if starts_at - tolerance <= f.earliest_at < starts_at]
    if promise.generation > 1:
        # What ended its cycle counts, no matter who had the lead then; what ended the cycle before does not.
        ends_from = promise.cycle_from(came_at)
        ended = [f for f in known if f.kind in rules.ended_by and f.latest_at >= ends_from]
        earlier = [f for f in earlier if f.kind not in rules.ended_by]
        earlier += [f for f in ended if f.earliest_at < starts_at]
        # What happened before, in this cycle, and was reported only after this owner got the lead, has answered it.
        told = [f for f in known if f.latest_at < f.known_at and starts_at - tolerance <= f.known_at]
        told = [f for f in told if ends_from - tolerance <= f.latest_at < starts_at]
        earlier += [f for f in told if f not in earlier]
    return earlier + [f for f in known if starts_at <= f.earliest_at <= promise.due_at + tolerance]


def _goes_on(before: Promise, after: Promise, facts: Facts, rules: Rules) -> Iterator[Finding]:
    """When the score rises, the promise that runs goes on instead of a new one, unless it was kept or ended before."""
    tolerance = timedelta(seconds=rules.tolerance_s)
    over, counting = before.due_at + tolerance <= after.assigned_at, _counting(before, facts, rules)
    kept = [f for f in counting if f.kind in rules.met_by and f.known_at < after.assigned_at - tolerance]
    if not after.opened and (over or kept):
        yield Finding("missed window", f"{after.name} was never watched, and {before.name} was over")
    may_be_over = over or any(f.earliest_at <= after.assigned_at + tolerance for f in counting)
    if after.opened and not may_be_over:
        yield Finding("second window", f"{after.name} was opened while {before.name} still ran")


def promises_of(records: Sequence[Record]) -> dict[tuple[str, int], Promise]:
    """A promise for each time that a lead got an owner, with what was announced about it."""
    promises: dict[tuple[str, int], Promise] = {}
    for record in records:
        if record.type in OWNED:
            made = _promise(record)
            promises[made.lead_id, made.generation] = made
    # Until its end is decided, the lead is its owner's: as with a move, they owe what is due by then.
    next_at = {lead_id: each.decided_at for lead_id, each in _merges(records).items()}
    for (lead_id, _), promise in sorted(promises.items(), reverse=True):
        promise.moved_at = next_at.get(lead_id)
        if not promise.rescored and not promise.reopened:
            next_at[lead_id] = promise.assigned_at
    for record in records:
        found = promises.get((record.lead_id, record.data.get("generation", 0)))
        if found is None:
            continue
        found.opened |= record.type == "baton.window.opened.v1"
        if record.type in _ENDS:
            found.ended.append(_ENDS[record.type])
        if record.type == BREACHED:
            found.breached.append(record)
    return promises


def _promise(record: Record) -> Promise:
    data = record.data
    starts = [data["assigned_at"], *([data["received_at"]] if data["generation"] == 1 else [])]
    ended_at, because = data.get("previous_ended_at"), data.get("because")
    return Promise(
        record.lead_id,
        data["generation"],
        assigned_at=datetime.fromisoformat(data["assigned_at"]),
        starts_at=min(map(datetime.fromisoformat, starts)),
        due_at=datetime.fromisoformat(data["respond_by"]),
        received_at=datetime.fromisoformat(data["received_at"]),
        previous_ended_at=datetime.fromisoformat(ended_at) if ended_at is not None else None,
        rescored=because == "rescored" and data["previous_rep"] == data["rep"]["id"],
        reopened=because == "reopened",
    )


def detection_delays_s(records: Sequence[Record], rules: Rules) -> list[float]:
    """How long after the last instant that counted each breach was announced, in seconds, shortest first."""
    of_sales = [record for record in records if record.data.get("promise", FIRST_RESPONSE) == FIRST_RESPONSE]
    breaches = {record.event_id: record.data for record in of_sales if record.type == BREACHED}
    return sorted(
        (datetime.fromisoformat(data["detected_at"]) - datetime.fromisoformat(data["due_at"])).total_seconds()
        - rules.tolerance_s
        for data in breaches.values()
    )


def facts_of(records: Sequence[Record], ledger: Ledger) -> Facts:
    """When each activity on each person was accepted; several processes may have accepted it."""
    persons = ledger.persons()
    found: defaultdict[str, list[_Fact]] = defaultdict(list)
    first_at = _first_at(records)
    for record in records:
        if record.type == "baton.activity.recorded.v1":
            at = datetime.fromisoformat(record.data["accepted_at"])
            again = at > first_at[record.data["activity_id"]]
            sent = ledger.activities.get(record.data["activity_id"])
            answered_at = sent.accepted_at if sent is not None and sent.accepted_at is not None else at
            person = persons.get(record.lead_id, record.lead_id)
            happened = record.data.get("happened_at")
            latest_at = min(at, datetime.fromisoformat(happened)) if happened is not None else at
            earliest_at = min(latest_at, answered_at)
            found[person].append(_Fact(record.lead_id, record.data["kind"], earliest_at, latest_at, at, again=again))
    return Facts(persons, _merges(records), _came_at(records), found)


def _first_at(records: Sequence[Record]) -> dict[str, datetime]:
    """When each activity was accepted first."""
    found: dict[str, datetime] = {}
    for record in records:
        if record.type == "baton.activity.recorded.v1":
            at = datetime.fromisoformat(record.data["accepted_at"])
            found[record.data["activity_id"]] = min(at, found.get(record.data["activity_id"], at))
    return found


def _merges(records: Sequence[Record]) -> dict[str, _Merge]:
    found: dict[str, _Merge] = {}
    for record in records:
        if record.type == MERGED and record.data.get("into") is not None:
            data = record.data
            decided_at = datetime.fromisoformat(data["decided_at"])
            since, was_lead = data.get("one_person_since"), data.get("was") is not None
            at = datetime.fromisoformat(since) if since is not None else decided_at
            known = found.get(record.lead_id, _Merge(decided_at, at, was_lead))
            found[record.lead_id] = _Merge(
                min(decided_at, known.decided_at), min(at, known.one_person_since), was_lead or known.was_lead
            )
    return found


def _came_at(records: Sequence[Record]) -> dict[str, datetime]:
    """When the first inquiry that was judged under each lead was accepted."""
    judged = {
        record.data["inquiry_id"]: record.data.get("into") or record.lead_id
        for record in records
        if record.topic == "baton.assignments.v1" and "inquiry_id" in record.data and judges(record)
    }
    found: dict[str, datetime] = {}
    for record in records:
        if record.type == "baton.inquiry.received.v1":
            at = datetime.fromisoformat(record.data["accepted_at"])
            lead_id = judged.get(record.data["inquiry_id"], record.lead_id)
            found[lead_id] = min(found.get(lead_id, at), at)
    return found


def _once(promise: Promise, evidence: Evidence, *, may_retract: bool) -> Iterator[Finding]:
    if not promise.opened:
        yield Finding("missed window", f"{promise.name} was never watched")
    if len(promise.breached) > 1:
        yield Finding("two breaches", f"{promise.name} was breached {len(promise.breached)} times")
    if "retracted" in promise.ended and not may_retract:
        yield Finding("retraction", f"{promise.name}: a breach was taken back, though no instance was given up")
    if len(set(promise.ended) - {"retracted"}) > 1:
        yield Finding("two endings", f"{promise.name} ended {promise.ended}")
    state = evidence.windows.get((promise.lead_id, promise.generation))
    if set(promise.ended) != {state} and "retracted" not in promise.ended:
        yield Finding("window differs", f"{promise.name} is stored {state} and was announced {promise.ended}")


def _by_own_clock(
    promise: Promise, sent: Sequence[Activity], decide_at: datetime, rules: Rules, *, moved: bool, breached: bool
) -> Iterator[Finding]:
    """The same without believing the product about when it accepted what: only what was sent, and answered when."""
    for activity in sent:
        answered_at = activity.accepted_at
        in_time = answered_at is not None and answered_at < promise.due_at
        happened_at = activity.happened_at or activity.first_tried_at
        counts = happened_at > promise.starts_at and activity.kind in rules.met_by
        if breached and in_time and counts:
            yield Finding("false breach", f"{promise.name}: {activity.activity_id} was answered at {answered_at}")
    if not promise.breached and not moved and all((a.happened_at or a.first_tried_at) > decide_at for a in sent):
        yield Finding("missed breach", f"{promise.name}: nobody even tried before {decide_at}")
