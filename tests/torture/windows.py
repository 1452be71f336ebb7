"""Which promises were kept, from the facts alone, and where the verdicts on the topics say otherwise."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from tests.torture.ledger import Activity, Evidence, Finding, Ledger, Record, Rules

_OWNED = ("baton.lead.assigned.v1", "baton.lead.reassigned.v1")
_ENDS = {
    "baton.window.met.v1": "met",
    "baton.window.breached.v1": "breached",
    "baton.window.cancelled.v1": "cancelled",
    "baton.breach.retracted.v1": "retracted",
}


@dataclass
class Promise:
    """One promise to answer one lead, of the owner of one generation."""

    lead_id: str
    generation: int
    starts_at: datetime
    due_at: datetime
    received_at: datetime
    previous_ended_at: datetime | None = None
    next_owner_at: datetime | None = None
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
    """An activity. A clock that was ahead dated it `latest_at`, though it had been answered at `earliest_at`: then the
    product may take it for either, since it knows when it learned of it."""

    kind: str
    earliest_at: datetime
    latest_at: datetime


def window_findings(ledger: Ledger, evidence: Evidence, records: Sequence[Record], rules: Rules) -> Iterator[Finding]:
    """Everything that is wrong with promises."""
    promises = promises_of(records)
    facts = _facts(evidence.records, ledger)
    came_at = _came_at(evidence.records)
    sent = defaultdict(list)
    for activity in ledger.activities.values():
        sent[activity.lead_id].append(activity)
    tolerance = timedelta(seconds=rules.tolerance_s)
    for promise in promises.values():
        decide_at = promise.due_at + tolerance
        first_at = came_at.get(promise.lead_id, promise.starts_at) if promise.generation == 1 else promise.starts_at
        starts_at = min(promise.starts_at, first_at)
        earlier = [f for f in facts[promise.lead_id] if starts_at - tolerance <= f.earliest_at < starts_at]
        if promise.generation > 1:
            # What ended its cycle counts, no matter who had the lead then; what ended the cycle before does not.
            ends_from = promise.cycle_from(came_at.get(promise.lead_id))
            ended = [f for f in facts[promise.lead_id] if f.kind in rules.ended_by and f.latest_at >= ends_from]
            earlier = [f for f in earlier if f.kind not in rules.ended_by]
            earlier += [f for f in ended if f.earliest_at < starts_at]
        counting = earlier + [f for f in facts[promise.lead_id] if starts_at <= f.earliest_at <= decide_at]
        # An inquiry that was still on its way when the lead was assigned may show that a follow-up counted after all.
        late_inquiry = all(f.earliest_at < promise.starts_at - tolerance for f in counting)
        yield from _once(promise, evidence, may_retract=bool(counting) and late_inquiry)
        ends = rules.met_by | rules.ended_by
        came = any(f.kind in ends and f.latest_at <= decide_at for f in counting)
        may_have_come = any(f.kind in ends for f in counting)
        moved = promise.next_owner_at is not None and promise.next_owner_at <= decide_at
        breached = bool(promise.breached)
        if breached and (came or moved):
            yield Finding("false breach", f"{promise.name}: a follow-up, end or move came by {decide_at}")
        if not breached and not (may_have_come or moved):
            yield Finding("missed breach", f"{promise.name}: nothing came by {decide_at}")
        if "met" in promise.ended and not any(f.kind in rules.met_by for f in counting):
            yield Finding("false meeting", f"{promise.name} is met, but by nothing that came by {decide_at}")
        yield from _by_own_clock(promise, sent[promise.lead_id], decide_at, rules, moved=moved)


def promises_of(records: Sequence[Record]) -> dict[tuple[str, int], Promise]:
    """A promise for each time that a lead got an owner, with what was announced about it."""
    promises: dict[tuple[str, int], Promise] = {}
    owned = [record for record in records if record.type in _OWNED]
    for record in owned:
        data = record.data
        starts = [data["assigned_at"], *([data["received_at"]] if data["generation"] == 1 else [])]
        due_at = datetime.fromisoformat(data["respond_by"])
        starts_at = min(map(datetime.fromisoformat, starts))
        received_at = datetime.fromisoformat(data["received_at"])
        made = Promise(record.lead_id, data["generation"], starts_at, due_at, received_at)
        if data.get("previous_ended_at") is not None:
            made.previous_ended_at = datetime.fromisoformat(data["previous_ended_at"])
        promises[made.lead_id, made.generation] = made
    for record in owned:
        before = promises.get((record.lead_id, record.data["generation"] - 1))
        if before is not None:
            before.next_owner_at = datetime.fromisoformat(record.data["assigned_at"])
    for record in records:
        promise = promises.get((record.lead_id, record.data.get("generation", 0)))
        if promise is None:
            continue
        promise.opened |= record.type == "baton.window.opened.v1"
        if record.type in _ENDS:
            promise.ended.append(_ENDS[record.type])
        if record.type == "baton.window.breached.v1":
            promise.breached.append(record)
    return promises


def detection_delays_s(records: Sequence[Record], rules: Rules) -> list[float]:
    """How long after the last instant that counted each breach was announced, in seconds, shortest first."""
    breaches = {r.event_id: r.data for r in records if r.type == "baton.window.breached.v1"}
    return sorted(
        (datetime.fromisoformat(data["detected_at"]) - datetime.fromisoformat(data["due_at"])).total_seconds()
        - rules.tolerance_s
        for data in breaches.values()
    )


def _facts(records: Sequence[Record], ledger: Ledger) -> defaultdict[str, list[_Fact]]:
    """When each activity of each lead was accepted; several processes may have accepted it."""
    found: defaultdict[str, list[_Fact]] = defaultdict(list)
    for record in records:
        if record.type == "baton.activity.recorded.v1":
            at = datetime.fromisoformat(record.data["accepted_at"])
            sent = ledger.activities.get(record.data["activity_id"])
            answered_at = sent.accepted_at if sent is not None and sent.accepted_at is not None else at
            found[record.lead_id].append(_Fact(record.data["kind"], min(at, answered_at), at))
    return found


def _came_at(records: Sequence[Record]) -> dict[str, datetime]:
    """When the first inquiry of each person was accepted."""
    found: dict[str, datetime] = {}
    for record in records:
        if record.type == "baton.inquiry.received.v1":
            at = datetime.fromisoformat(record.data["accepted_at"])
            found[record.lead_id] = min(found.get(record.lead_id, at), at)
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
    promise: Promise, sent: Sequence[Activity], decide_at: datetime, rules: Rules, *, moved: bool
) -> Iterator[Finding]:
    """The same without believing the product about when it accepted what: only what was sent, and answered when."""
    for activity in sent:
        answered_at = activity.accepted_at
        in_time = answered_at is not None and answered_at < promise.due_at
        counts = activity.first_tried_at > promise.starts_at and activity.kind in rules.met_by
        if promise.breached and in_time and counts:
            yield Finding("false breach", f"{promise.name}: {activity.activity_id} was answered at {answered_at}")
    if not promise.breached and not moved and all(activity.first_tried_at > decide_at for activity in sent):
        yield Finding("missed breach", f"{promise.name}: nobody even tried before {decide_at}")
