"""Finds what was lost, doubled, missed, made up or out of order: compares the ledger with the evidence, from first
principles and without any of the product's code."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from tests.torture.ledger import MOVES_BY_NAME, Evidence, Finding, Ledger, Record, Rules
from tests.torture.notices import notice_findings
from tests.torture.persons import MERGED, after_an_end, judges, person_findings
from tests.torture.windows import window_findings

INQUIRIES = "baton.inquiries.v1"
ACTIVITIES = "baton.activities.v1"
ASSIGNMENTS = "baton.assignments.v1"
ESCALATIONS = "baton.escalations.v1"
QUARANTINE = "baton.quarantine.v1"
HOSTILE_KEY = "l_hostile"
"""The key of all records that no service can read."""
READ_BY = {
    INQUIRIES: ("router", "scoreboard"),
    ACTIVITIES: ("router", "scoreboard", "sla_monitor"),
    ASSIGNMENTS: ("delivery", "scoreboard", "sla_monitor"),
    ESCALATIONS: ("delivery", "router", "scoreboard"),
}
"""Which services read a topic."""

_OUTCOMES = {
    "baton.lead.assigned.v1": "assigned",
    "baton.lead.parked.v1": "parked",
    "baton.lead.rejected.v1": "rejected",
    MERGED: "merged",
}
_OWNED = ("baton.lead.assigned.v1", "baton.lead.reassigned.v1")
_INTERNAL = ("baton.move.requested.v1",)
_ACTIVATED = "baton.agreement.activated.v1"  # about no lead, and published before anyone can have subscribed


def check(ledger: Ledger, evidence: Evidence, rules: Rules) -> list[Finding]:
    """All findings; none when every promise held."""
    records = without_repeats(evidence.records)
    return [
        *_unfinished(evidence),
        *_changed(evidence.records),
        *_answers(ledger),
        *_lost_on_the_way(ledger, records),
        *_verdicts(ledger, evidence, records),
        *_quarantine(ledger, records),
        *_assignments(evidence, records),
        *_shares(evidence, records, rules),
        *_versions(records),
        *_conservation(ledger, evidence, records),
        *_moves(ledger, records),
        *person_findings(ledger, evidence, records),
        *window_findings(ledger, evidence, records, rules),
        *_deliveries(ledger, records),
        *notice_findings(ledger, evidence, records, rules),
    ]


def without_repeats(records: Sequence[Record]) -> list[Record]:
    """The first copy of each event, in the order of each partition."""
    first: dict[str, Record] = {}
    for record in records:
        first.setdefault(record.event_id, record)
    return list(first.values())


def instant(text: str) -> datetime:
    """An instant as events have it."""
    return datetime.fromisoformat(text)


def _unfinished(evidence: Evidence) -> Iterator[Finding]:
    for name, count in evidence.unfinished.items():
        if count:
            yield Finding("unfinished", f"{name}: {count} never came to rest")


def _changed(records: Sequence[Record]) -> Iterator[Finding]:
    first: dict[str, Record] = {}
    for record in records:
        known = first.setdefault(record.event_id, record)
        if (known.type, known.lead_id, _content(known)) != (record.type, record.lead_id, _content(record)):
            yield Finding("changed event", f"{record.event_id} ({record.type}) says two different things")


def _content(record: Record) -> Mapping[str, object]:
    """The content of a record. What is sent again may reach another ingest process, which accepts it or sets it aside
    at another instant; the other services set a record aside once.
    """
    if record.topic in (INQUIRIES, ACTIVITIES) or record.data.get("service") == "ingest":
        return {**record.data, "accepted_at": None, "at": None}
    return record.data


def _answers(ledger: Ledger) -> Iterator[Finding]:
    for inquiry in ledger.inquiries.values():
        if inquiry.accepted_at is not None and len(inquiry.answers) != 1:
            yield Finding("changed answer", f"{inquiry.external_id} was answered with {sorted(inquiry.answers)}")


def _lost_on_the_way(ledger: Ledger, records: Sequence[Record]) -> Iterator[Finding]:
    there = {record.data["inquiry_id"] for record in records if record.topic == INQUIRIES}
    for inquiry_id in sorted(_accepted(ledger) - there):
        yield Finding("loss", f"inquiry {inquiry_id} was accepted and is not on its topic")
    facts = {record.data.get("activity_id") for record in records if record.topic == ACTIVITIES}
    for activity in ledger.activities.values():
        if activity.accepted_at is not None and activity.activity_id not in facts:
            yield Finding("loss", f"activity {activity.activity_id} was accepted and is not on its topic")


def _verdicts(ledger: Ledger, evidence: Evidence, records: Sequence[Record]) -> Iterator[Finding]:
    announcements: defaultdict[str, list[str]] = defaultdict(list)
    verdicts: defaultdict[str, list[str]] = defaultdict(list)
    for record in records:
        if record.type in _OUTCOMES and judges(record):
            announcements[record.data["inquiry_id"]].append(_OUTCOMES[record.type])
    for row in evidence.verdicts:
        if row.outcome != "reassigned":
            verdicts[row.inquiry_id].append(row.outcome)
    may_be_judged_again = after_an_end(ledger, records)
    for inquiry_id in sorted(_accepted(ledger) | announcements.keys() | verdicts.keys()):
        announced, stored = sorted(announcements.get(inquiry_id, [])), sorted(verdicts.get(inquiry_id, []))
        again = inquiry_id in may_be_judged_again
        for where, found in (("announced", announced), ("stored", stored)):
            if not found:
                yield Finding("loss", f"inquiry {inquiry_id} has no verdict {where}")
            # It joined a lead, of which it was read later that sales had ended it before.
            if len(found) > 1 and not (again and len(found) == 2 and "merged" in found):
                yield Finding("two verdicts", f"inquiry {inquiry_id} has {found} {where}")
        if announced and stored and announced != stored:
            yield Finding("two verdicts", f"inquiry {inquiry_id} is announced {announced} and stored {stored}")


def _quarantine(ledger: Ledger, records: Sequence[Record]) -> Iterator[Finding]:
    quarantined = [record for record in records if record.topic == QUARANTINE]
    for record in quarantined:
        # Ingest reports what strangers sent as unreadable; no service may report so of what the others sent.
        if record.data["service"] != "ingest" and record.lead_id != HOSTILE_KEY:
            yield Finding("quarantine", f"{record.data['origin']}: {record.data['code']}, but it is valid")
    found = [record.data for record in quarantined]
    for inquiry_id in sorted(ledger.set_aside - {data.get("inquiry_id") for data in found}):
        yield Finding("loss", f"inquiry {inquiry_id} was accepted, is unreadable, and was not quarantined")
    wanted = {(service, origin) for topic, origin in ledger.bad_records for service in READ_BY[topic]}
    for service, origin in sorted(wanted - {(data["service"], data["origin"]) for data in found}):
        yield Finding("not quarantined", f"{service} took no notice of the unreadable {origin}")


def _assignments(evidence: Evidence, records: Sequence[Record]) -> Iterator[Finding]:
    ids: defaultdict[tuple[str, int], set[tuple[str, str]]] = defaultdict(set)
    for record in records:
        if record.type in _OWNED:
            mine = (record.data["assignment_id"], record.data["rep"]["id"])
            ids[record.lead_id, record.data["generation"]].add(mine)
    for (lead_id, generation), found in ids.items():
        if len(found) > 1:
            yield Finding("double assignment", f"{lead_id} generation {generation} went to {sorted(found)}")
    stored = Counter((row.lead_id, row.generation) for row in evidence.holdings)
    active = Counter(row.lead_id for row in evidence.holdings if row.active)
    for what, count in (*stored.items(), *active.items()):
        if count > 1:
            yield Finding("double assignment", f"{what} has {count} rows")
    held = {(row.lead_id, row.generation): (row.assignment_id, row.rep) for row in evidence.holdings}
    for key in sorted(ids.keys() | held.keys()):
        if ids.get(key, set()) != ({held[key]} if key in held else set()):
            yield Finding("assignment differs", f"{key}: announced {ids.get(key)}, stored {held.get(key)}")


def _shares(evidence: Evidence, records: Sequence[Record], rules: Rules) -> Iterator[Finding]:
    first: defaultdict[str, Counter[str]] = defaultdict(Counter)
    turns: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        if record.type in _OWNED:
            pool, rep = record.data["pool"], record.data["rep"]["id"]
            if not _without_turn(record):
                turns[pool][rep] += 1
            # A move within a pool passes over the member who had the lead, so shares are promised for the others only.
            by_hand = record.data.get("because") == "manual"
            if record.type == _OWNED[0] or (by_hand and record.data["previous_rep"] not in rules.pools[pool]):
                first[pool][rep] += 1
    for pool, members in rules.pools.items():
        count, weights = first[pool].total(), sum(members.values())
        for rep, weight in members.items():
            off = first[pool][rep] - Fraction(count * weight, weights)
            if abs(off) >= 1:
                yield Finding("unfair turns", f"{rep} is {float(off):+.2f} leads off their share of {pool}")
        rotation = evidence.rotations.get(pool)
        counted = (rotation.number, dict(rotation.taken)) if rotation else (0, {})
        if counted != (turns[pool].total(), dict(turns[pool])):
            yield Finding("turns differ", f"{pool}: announced {dict(turns[pool])}, counted {counted}")


def _without_turn(record: Record) -> bool:
    """Whether nobody's turn decided who has the lead: they had it before, or were named."""
    because, rule = record.data.get("because"), record.data.get("rule")
    return because in ("reopened", "rescored") or (because == "manual" and rule == f"moved by {MOVES_BY_NAME}")


def _moves(ledger: Ledger, records: Sequence[Record]) -> Iterator[Finding]:
    by_hand = {(r.lead_id, r.data["generation"]) for r in records if r.data.get("because") == "manual"}
    for move in ledger.moves:
        if (move.lead_id, move.generation) not in by_hand:
            yield Finding("loss", f"{move.lead_id} was moved by hand, as generation {move.generation}, unannounced")


def _versions(records: Sequence[Record]) -> Iterator[Finding]:
    newest: dict[str, int] = {}
    for record in records:
        if record.topic == ASSIGNMENTS and record.type != _ACTIVATED:
            version = record.data["lead_version"]
            if version <= newest.get(record.lead_id, 0):
                yield Finding("order", f"{record.lead_id}: version {version} after {newest[record.lead_id]}")
            newest[record.lead_id] = max(version, newest.get(record.lead_id, 0))


def _conservation(ledger: Ledger, evidence: Evidence, records: Sequence[Record]) -> Iterator[Finding]:
    counts, accepted = evidence.conservation, len(_accepted(ledger)) + len(_unreadable(records))
    if not counts.get("balanced") or counts.get("in_flight") or counts.get("received") != accepted:
        yield Finding("conservation", f"{accepted} inquiries were accepted; the scoreboard says {dict(counts)}")


def _unreadable(records: Sequence[Record]) -> set[str]:
    """The inquiries that ingest, or a consumer of their topic, could not read: counted as received and quarantined."""
    found = [record.data for record in records if record.topic == QUARANTINE]
    of_ingest = {data["inquiry_id"] for data in found if data["service"] == "ingest"}
    return of_ingest | {data["origin"] for data in found if data["origin"].startswith(f"{INQUIRIES}/")}


def _deliveries(ledger: Ledger, records: Sequence[Record]) -> Iterator[Finding]:
    public = {r.event_id: r for r in records if r.topic in (ASSIGNMENTS, ESCALATIONS) and r.type not in _INTERNAL}
    delivered: set[str] = set()
    for webhook in ledger.webhooks:
        event_id = webhook.event.get("id", "")
        if not webhook.verified:
            yield Finding("bad signature", f"the webhook {webhook.webhook_id} does not verify")
        elif webhook.webhook_id != event_id:
            yield Finding("changed id", f"the event {event_id} was delivered under the id {webhook.webhook_id}")
        elif event_id not in public and not _of_a_period(webhook.event.get("data", {})):
            yield Finding("made up", f"the event {event_id} was delivered and is on no topic")
        elif event_id in public and not _same(public[event_id], webhook.event):
            yield Finding("changed event", f"the event {event_id} was delivered otherwise than it was announced")
        delivered.add(event_id)
    expected = {
        event_id for event_id, record in public.items() if record.type != _ACTIVATED and not _of_a_period(record.data)
    }
    for event_id in sorted(expected - delivered):
        yield Finding("undelivered", f"{public[event_id].type} {event_id} never reached the subscriber")


def _of_a_period(data: Mapping[str, Any]) -> bool:
    """Whether an event is about no lead: it may come at any time, before anyone has subscribed and while evidence is
    gathered.
    """
    return data.get("period") is not None


def _same(record: Record, event: Mapping[str, object]) -> bool:
    return (event["type"], event["subject"], event["data"]) == (record.type, record.lead_id, record.data)


def _accepted(ledger: Ledger) -> set[str]:
    return {inquiry_id for each in ledger.inquiries.values() if each.accepted_at for inquiry_id, _ in each.answers}
