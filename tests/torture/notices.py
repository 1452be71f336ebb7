"""Whether each step of a ladder fired once, and each recipient was notified of it exactly once, as far as that can be:
from the events on the topics and what people received, against what delivery stores and announces."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

from tests.torture.ledger import Evidence, Finding, Ledger, NoticeRow, Receipt, Record, Rules
from tests.torture.persons import MERGED
from tests.torture.windows import BREACHED, FIRST_RESPONSE, RETRACTED

RAISED = "baton.escalation.raised.v1"
CLOSED = "baton.escalation.closed.v1"
DELIVERED = "baton.notice.delivered.v1"

RECORDED_WITHIN = timedelta(seconds=20)
"""How long after a message is taken that may not be recorded yet. Far more than it takes."""

_FIRES = ("baton.window.warned.v1", RAISED, "baton.escalation.exhausted.v1")
_ENDS = ("baton.window.met.v1", BREACHED, "baton.window.cancelled.v1", RETRACTED, CLOSED)
_OF_A_STEP = ("warning", "breach", "exhausted")


class _Due(NamedTuple):
    """A notice that has to be: of an event, or of the end of an escalation, to a role and person."""

    about: str
    role: str
    person: str | None


def notice_findings(ledger: Ledger, evidence: Evidence, records: Sequence[Record], rules: Rules) -> Iterator[Finding]:
    """Everything that is wrong with ladders and notices."""
    yield from _steps(ledger, records, rules)
    yield from _made(evidence, records)
    yield from _endings(evidence, records)
    yield from _announced(evidence, records)
    yield from _received(ledger, evidence)


def _steps(ledger: Ledger, records: Sequence[Record], rules: Rules) -> Iterator[Finding]:
    """Each step fires once at most, and for those for whom it is; for a buyer of whom nobody reported anything, all
    steps of each breach fire, since nothing ends that."""
    raised = [record for record in records if record.type == RAISED and _is_response(record)]
    raised = [record for record in raised if record.data.get("because") is None]
    for (escalation_id, level), count in Counter(map(_step_of, raised)).items():
        if count > 1:
            yield Finding("two firings", f"level {level} of {escalation_id} fired {count} times")
    for record in raised:
        level, roles = record.data["level"], tuple(each["role"] for each in record.data["to"])
        if roles != rules.steps.get(level, roles):
            yield Finding("wrong recipients", f"level {level} of {record.lead_id} is for {roles}")
    fired = {(record.data["window_id"], record.data["level"]) for record in raised}
    over = {record.data.get("window_id") for record in records if record.type in (RETRACTED, CLOSED)}
    merged = {record.lead_id for record in records if record.type == MERGED and record.data.get("into") is not None}
    persons, followed = ledger.persons(), {activity.person for activity in ledger.activities.values()}
    for record in records:
        window_id, alone = record.data.get("window_id"), persons.get(record.lead_id, record.lead_id) not in followed
        missed = record.type == BREACHED and _is_response(record) and record.lead_id not in merged
        if missed and window_id not in over and alone:
            for level in sorted(rules.steps):
                if (window_id, level) not in fired:
                    yield Finding("missed step", f"level {level} of the breach of {record.lead_id} never fired")


def _is_response(record: Record) -> bool:
    return bool(record.data.get("promise", FIRST_RESPONSE) == FIRST_RESPONSE)


def _step_of(raised: Record) -> tuple[str, int]:
    return raised.data["escalation_id"], raised.data["level"]


def _made(evidence: Evidence, records: Sequence[Record]) -> Iterator[Finding]:
    """Each event that fires makes one notice for each whom it names, and the end of an escalation one for each who was
    told of it."""
    due = {
        _Due(record.event_id, each["role"], each.get("person"))
        for record in records
        if record.type in _FIRES
        for each in record.data.get("to", ())
    }
    rows = Counter(_Due(row.event_id, row.role, row.person) for row in evidence.notices if row.kind in _OF_A_STEP)
    yield from _differing(due, rows, "of a step")
    closed = {record.data["escalation_id"] for record in records if record.type == CLOSED}
    told = {
        _Due(row.escalation_id or "", row.role, row.person)
        for row in evidence.notices
        if row.kind in _OF_A_STEP and row.state == "told" and row.escalation_id in closed
    }
    ends = Counter(
        _Due(row.escalation_id or "", row.role, row.person) for row in evidence.notices if row.kind == "closed"
    )
    yield from _differing(told, ends, "of an end")


def _differing(due: set[_Due], rows: Mapping[_Due, int], what: str) -> Iterator[Finding]:
    for each in sorted(due - rows.keys(), key=str):
        yield Finding("no notice", f"{each.role} ({each.person}) was to get a notice {what}, {each.about}")
    for each in sorted(rows.keys() - due, key=str):
        yield Finding("made up", f"{each.role} ({each.person}) has a notice {what}, {each.about}, that is not due")
    for each, count in rows.items():
        if count > 1:
            yield Finding("two notices", f"{each.role} ({each.person}) has {count} notices {what}, {each.about}")


def _endings(evidence: Evidence, records: Sequence[Record]) -> Iterator[Finding]:
    """Each notice was told, or what it was about is over."""
    over = {record.data.get("window_id") for record in records if record.type in _ENDS}
    closed = {record.data["escalation_id"] for record in records if record.type == CLOSED}
    for row in evidence.notices:
        ended = row.window_id in over if row.kind == "warning" else row.escalation_id in closed
        if row.state != "told" and not (row.state == "dropped" and ended):
            yield Finding("untold", f"the {row.kind} {row.notice_id} for {row.role} of {row.window_id} is {row.state}")


def _announced(evidence: Evidence, records: Sequence[Record]) -> Iterator[Finding]:
    announced = {record.data["notice_id"] for record in records if record.type == DELIVERED}
    told = {row.notice_id for row in evidence.notices if row.state == "told"}
    for notice_id in sorted(announced ^ told):
        where = "announced" if notice_id in announced else "stored"
        yield Finding("notice differs", f"the notice {notice_id} is {where} as told, and not otherwise")


def _received(ledger: Ledger, evidence: Evidence) -> Iterator[Finding]:
    """What is stored as told was received, and all that was received was due."""
    message_of = {row.notice_id: row.message_id or "" for row in evidence.notices}
    rows: defaultdict[str, list[NoticeRow]] = defaultdict(list)
    for row in evidence.notices:
        rows[row.message_id or ""].append(row)
    receipts: defaultdict[str, list[Receipt]] = defaultdict(list)
    for receipt in ledger.receipts:
        receipts[message_of.get(receipt.message_id, receipt.message_id)].append(receipt)
    for message_id, found in receipts.items():
        yield from _as_stored(message_id, found, rows.get(message_id, ()))
        yield from _repeats(message_id, found, evidence)
    for message_id, mine in rows.items():
        told = {row.window_id for row in mine if row.state == "told"}
        taken = [receipt.count for receipt in receipts.get(message_id, ()) if receipt.answered and receipt.verified]
        if told and len(told) not in taken:
            yield Finding("never received", f"{message_id} told of {len(told)} promises; received were {taken}")


def _as_stored(message_id: str, found: Sequence[Receipt], rows: Sequence[NoticeRow]) -> Iterator[Finding]:
    stored = {(row.kind, row.role) for row in rows}
    for receipt in found:
        if not receipt.verified:
            yield Finding("bad signature", f"the message {receipt.message_id} does not verify")
        elif not rows:
            yield Finding("made up", f"the message {message_id} was received and is not stored")
        elif (receipt.kind, receipt.role) not in stored:
            yield Finding("changed notice", f"{message_id} was a {receipt.kind} to {receipt.role}, stored are {stored}")


def _repeats(message_id: str, found: Sequence[Receipt], evidence: Evidence) -> Iterator[Finding]:
    """A message comes again only if nobody knows whether it arrived, and under the same id."""
    for before, after in pairwise(sorted(found, key=lambda receipt: receipt.at)):
        if before.message_id != after.message_id and before.count == after.count:
            yield Finding("changed id", f"{before.message_id} came again as {after.message_id}")
        latest = min(after.at, before.at + RECORDED_WITHIN)
        unrecorded = any(began <= latest and ended >= before.at for began, ended in evidence.interrupted)
        if before.answered and not unrecorded:
            yield Finding("told twice", f"{message_id} was taken at {before.at} and came again at {after.at}")
