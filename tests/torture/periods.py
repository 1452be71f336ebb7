"""Whether each inquiry without a verdict in time was called a breach, and each promise about a period was judged by
what happened in it: counted once more, from who the ledger says is one person and from the events on the topics."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

from shared.domain.ids import event_id
from tests.torture.ledger import Finding, Ledger, PeriodRow, Record, Rules
from tests.torture.persons import judges
from tests.torture.windows import BREACHED, OWNED, RETRACTED, Facts

HAND_OFF = "hand_off"
_IN_TIME_OF_100 = Fraction(95, 100)
_JUST_AFTER = timedelta(microseconds=1)


class HandedOver(NamedTuple):
    """A person whom sales got, in one cycle: when, after how many seconds unless they waited in a queue, whether all
    that was promised was known of them, and when sales accepted and rejected them first.
    """

    at: datetime
    waited_s: float | None
    complete: bool
    accepted_at: datetime | None
    rejected_at: datetime | None


def hand_off_findings(records: Sequence[Record], rules: Rules) -> Iterator[Finding]:
    """Everything that is wrong with the promise that each inquiry has its verdict soon."""
    accepted: defaultdict[str, list[datetime]] = defaultdict(list)
    decided: defaultdict[str, list[datetime]] = defaultdict(list)
    for record in records:
        if record.type == "baton.inquiry.received.v1":
            accepted[record.data["inquiry_id"]].append(_instant(record.data["accepted_at"]))
        elif record.topic == "baton.assignments.v1" and "inquiry_id" in record.data and judges(record):
            at = record.data.get("assigned_at") or record.data.get("decided_at")
            decided[record.data["inquiry_id"]] += [_instant(at)] if at is not None else []
    mine = [record for record in records if record.data.get("promise") == HAND_OFF]
    breaches = Counter(record.data["window_id"] for record in mine if record.type == BREACHED)
    standing = breaches.keys() - {record.data["window_id"] for record in mine if record.type == RETRACTED}
    for window_id, count in breaches.items():
        if count > 1:
            yield Finding("two breaches", f"the hand-off {window_id} was breached {count} times")
    within, tolerance = timedelta(seconds=rules.hand_off_within_s), timedelta(seconds=rules.tolerance_s)
    for inquiry_id, times in accepted.items():
        # Each ingest process that got it has accepted it once; one that was judged twice got its verdict the first
        # time, whichever was read first.
        verdicts = [max(at, min(times)) for at in decided[inquiry_id]]
        window_id = window_of(inquiry_id)
        breached = window_id in standing
        if verdicts and not breached and min(verdicts) > max(times) + within + tolerance:
            yield Finding("missed hand-off", f"{inquiry_id} got its verdict at {min(verdicts)}, and that is no breach")
        if verdicts and breached and max(verdicts) <= min(times) + within + tolerance:
            yield Finding("false hand-off", f"{inquiry_id} got its verdict at {max(verdicts)}, and that is a breach")
        standing -= {window_id}
    for window_id in sorted(standing):
        yield Finding("made up", f"a hand-off, {window_id}, was breached, and no inquiry is due then")


def window_of(inquiry_id: str) -> str:
    """The id of the window on an inquiry: two of one person may be accepted at one instant, so nothing else tells."""
    return event_id("window", HAND_OFF, inquiry_id)


def period_findings(
    ledger: Ledger, records: Sequence[Record], facts: Facts, periods: Sequence[PeriodRow], rules: Rules
) -> Iterator[Finding]:
    """Everything that is wrong with promises about the `periods` that are over."""
    people = list(handed_over(ledger, records, facts, rules))
    for row in periods:
        counted, of = figures(row, people, rules)
        if (row.counted, row.of) != (counted, of):
            yield Finding("wrong period", f"{row.measure} has {row.counted} of {row.of}, and is {counted} of {of}")
        expected = _verdict(row, counted, of, rules.commitments[row.measure])
        if row.state != expected:
            yield Finding(
                "wrong period verdict", f"{row.measure} with {counted} of {of} is {row.state}, not {expected}"
            )
    for measure in rules.commitments:
        spans = [(row.starts_at, row.ends_at) for row in periods if row.measure == measure]
        for each in people:
            if sum(starts_at <= each.at < ends_at for starts_at, ends_at in spans) != 1:
                yield Finding("missed period", f"the {measure} of {each.at} is in none of {spans}, or in several")
                break


def figures(row: PeriodRow, people: Sequence[HandedOver], rules: Rules) -> tuple[int, int]:
    """How many count for a promise about a period, and of how many."""

    def falls_in(at: datetime | None) -> bool:
        return at is not None and row.starts_at <= at < row.ends_at

    handed = [each for each in people if falls_in(each.at)]
    accepted = sum(falls_in(each.accepted_at) for each in people)
    stayed = [each for each in people if each.accepted_at is None or each.accepted_at >= row.ends_at]
    rejected = sum(falls_in(each.rejected_at) for each in stayed)
    timed = [each.waited_s for each in handed if each.waited_s is not None]
    found = {
        "volume": (accepted, len(handed)),
        "accepted_share": (accepted, accepted + rejected),
        "completeness": (sum(each.complete for each in handed), len(handed)),
        "hand_off_latency": (sum(waited_s <= rules.commitments[row.measure] for waited_s in timed), len(timed)),
    }
    return found[row.measure]


def _verdict(row: PeriodRow, counted: int, of: int, target: Fraction) -> str:
    if row.measure == "volume":
        # What came before counting began is not known to have been too little.
        return "met" if counted >= target else ("cancelled" if row.counted_late else "breached")
    if not of:
        return "cancelled"
    least = _IN_TIME_OF_100 if row.measure == "hand_off_latency" else target
    return "met" if counted >= least * of else "breached"


def handed_over(ledger: Ledger, records: Sequence[Record], facts: Facts, rules: Rules) -> Iterator[HandedOver]:
    """Each person once per cycle, at the first hand-off under any of their ids, with what sales decided."""
    persons, firsts = ledger.persons(), _firsts(records)
    by_person: defaultdict[str, list[Record]] = defaultdict(list)
    for record in firsts:
        by_person[persons.get(record.lead_id, record.lead_id)].append(record)
    earlier = _first_inquiries(records)
    for mine in by_person.values():
        cycles: defaultdict[int, list[Record]] = defaultdict(list)
        for record in mine:
            cycles[record.data.get("cycle", 1)].append(record)
        starts = {number: min(map(_starts_at, same)) for number, same in cycles.items()}
        decided = _decisions(mine, starts, facts, rules)
        for number, same in cycles.items():
            first = min(same, key=lambda record: (_instant(record.data["assigned_at"]), record.lead_id))
            at, received_at = _instant(first.data["assigned_at"]), _instant(first.data["received_at"])
            if number == 1:
                received_at = min(received_at, earlier.get(first.lead_id, received_at))
            yield HandedOver(
                at,
                max((at - received_at).total_seconds(), 0.0) if first.data.get("because") is None else None,
                all(first.data["contact"].get(name) for name in rules.complete_with),
                min(decided[number, "accepted"], default=None),
                min(decided[number, "rejected"], default=None),
            )


def _firsts(records: Sequence[Record]) -> list[Record]:
    """The first assignment of each lead in each cycle."""
    found: dict[tuple[str, int], Record] = {}
    for record in records:
        if record.type in OWNED:
            key = (record.lead_id, record.data.get("cycle", 1))
            known = found.setdefault(key, record)
            if record.data["generation"] < known.data["generation"]:
                found[key] = record
    return list(found.values())


def _starts_at(record: Record) -> datetime:
    received_at, ended_at = _instant(record.data["received_at"]), record.data.get("previous_ended_at")
    return received_at if ended_at is None else max(received_at, _instant(ended_at) + _JUST_AFTER)


def _decisions(
    mine: Sequence[Record], starts: Mapping[int, datetime], facts: Facts, rules: Rules
) -> Mapping[tuple[int, str], list[datetime]]:
    """When sales accepted and rejected a person, by the cycle that had begun last by then."""
    found: defaultdict[tuple[int, str], list[datetime]] = defaultdict(list)
    for lead_id in {record.lead_id for record in mine}:
        for fact in facts.on(lead_id):
            by_then = fact.latest_at + timedelta(seconds=rules.tolerance_s)
            begun = [(at, number) for number, at in starts.items() if at <= by_then]
            if begun:
                found[max(begun)[1], fact.kind].append(fact.latest_at)
    return found


def _first_inquiries(records: Sequence[Record]) -> Mapping[str, datetime]:
    """When the first inquiry of a lead was accepted, of those that turned out to have come before it became one."""
    found: dict[str, datetime] = {}
    for record in records:
        at = record.data.get("received_at")
        if record.type in ("baton.lead.merged.v1", "baton.lead.backdated.v1") and at is not None:
            lead_id = record.data.get("into") or record.lead_id
            found[lead_id] = min(found.get(lead_id, _instant(at)), _instant(at))
    return found


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
