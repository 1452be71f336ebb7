"""Whether each person is one lead with one owner, from who the ledger says they are, and never two people one."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from tests.torture.ledger import Activity, Evidence, Finding, Inquiry, Ledger, Record, Standing

MERGED = "baton.lead.merged.v1"
ENDS = frozenset({"rejected", "won", "lost"})
"""Activities with which sales ends a lead."""


def judges(record: Record) -> bool:
    """Whether a verdict is one on an inquiry; else it only says that an id of the person ends."""
    return record.type != MERGED or record.data.get("into") is None or record.data.get("contact") is not None


def after_an_end(ledger: Ledger, records: Sequence[Record]) -> set[str]:
    """The inquiries that people sent after sales had ended their lead."""
    persons, dated = ledger.persons(), _dates(records)
    ended_at: dict[str, datetime] = {}
    for activity in ledger.activities.values():
        at = dated.get(activity.activity_id)
        if activity.kind in ENDS and at is not None:
            ended_at[activity.person] = min(at, ended_at.get(activity.person, at))
    pairs = [pair for inquiry in ledger.inquiries.values() for pair in inquiry.answers]
    return {id_ for id_, lead in pairs if id_ in dated and ended_at.get(persons[lead], dated[id_]) < dated[id_]}


def person_findings(ledger: Ledger, evidence: Evidence, records: Sequence[Record]) -> Iterator[Finding]:
    """Everything that is wrong with who is who."""
    persons = ledger.persons()
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for lead_id, person in persons.items():
        ids[person].append(lead_id)
    ended = [record for record in records if record.type == MERGED and record.data.get("into") is not None]
    yield from _merges(persons, ended, evidence)
    yield from _reports(ledger, persons, records)
    active = Counter(persons.get(row.lead_id, row.lead_id) for row in evidence.holdings if row.active)
    for person, count in active.items():
        if count > 1:
            yield Finding("two owners", f"person {person} has {count} owners")
    by_person = _by_person(ledger, records)
    reopened = {persons.get(record.lead_id) for record in records if record.data.get("because") == "reopened"}
    for person, mine in ids.items():
        inquiries, sent = by_person[person]
        yield from _one_lead(person, mine, evidence)
        yield from _customers(person, mine, evidence)
        if person in reopened and sent and not _disputed(sent):
            yield Finding("made up", f"the lead of {person} was reopened, and nobody disputed its rejection")
        yield from _shown(person, mine, evidence)
        if _ended_by("won", inquiries, sent) and not _is_customer(mine, evidence):
            yield Finding("lost customer", f"{person} has bought and is shown as no customer")
        # One that sales ended otherwise after that need not have been open in between: that may be read first.
        stayed = any(evidence.decided.get(lead_id, Standing("")).outcome == "rejected" for lead_id in mine)
        if stayed and person not in reopened and _overruled(inquiries, sent):
            yield Finding("not reopened", f"{person} was rejected and accepted after that, and stayed rejected")


def _merges(persons: Mapping[str, str], ended: Sequence[Record], evidence: Evidence) -> Iterator[Finding]:
    """Each id that ended is announced, to somebody who is the same person, and its lead ends once."""
    into = {record.lead_id: record.data["into"] for record in ended}
    for lead_id, heir in into.items():
        if persons.get(lead_id, lead_id) != persons.get(heir, heir):
            yield Finding("wrong merge", f"{lead_id} became part of {heir}, who is somebody else")
    stored = {lead_id: each.into for lead_id, each in evidence.decided.items() if each.into is not None}
    if stored != into:
        differing = sorted(key for key in stored.keys() | into.keys() if stored.get(key) != into.get(key))
        yield Finding("merge differs", f"{differing[:5]}: announced and stored otherwise")
    times = Counter(record.lead_id for record in ended if record.data.get("was") is not None)
    named = Counter((record.lead_id, record.data["inquiry_id"]) for record in ended if not judges(record))
    for what, count in (*times.items(), *named.items()):
        if count > 1:
            yield Finding("merged twice", f"the end of {what} is announced {count} times")


def _reports(ledger: Ledger, persons: Mapping[str, str], records: Sequence[Record]) -> Iterator[Finding]:
    for record in records:
        sent = ledger.activities.get(record.data.get("activity_id", ""))
        if sent is not None and persons.get(record.lead_id) != sent.person:
            yield Finding("wrong person", f"{sent.activity_id} on {sent.person} is reported under {record.lead_id}")


def _one_lead(person: str, ids: Sequence[str], evidence: Evidence) -> Iterator[Finding]:
    for who, leads in (("router", evidence.decided), ("scoreboard", evidence.shown)):
        going_on = [lead_id for lead_id in ids if leads.get(lead_id, Standing("")).into is None]
        if len(going_on) != 1:
            yield Finding("split person", f"for the {who}, {person} goes on as {going_on}, of {list(ids)}")


def _shown(person: str, ids: Sequence[str], evidence: Evidence) -> Iterator[Finding]:
    """The pages show what was decided."""
    for lead_id in ids:
        decided, shown = evidence.decided.get(lead_id), evidence.shown.get(lead_id)
        if decided is None or decided.state not in ("assigned", "parked", "closed"):
            continue
        if shown is None or (decided.state, decided.owner, decided.outcome) != (shown.state, shown.owner, _end(shown)):
            yield Finding("shown otherwise", f"{lead_id} of {person} is {decided} and shown as {shown}")


def _end(shown: Standing) -> str | None:
    return shown.outcome if shown.state == "closed" else None


def _customers(person: str, ids: Sequence[str], evidence: Evidence) -> Iterator[Finding]:
    count = sum(_is_customer([lead_id], evidence) for lead_id in ids)
    if count > 1:
        yield Finding("two customers", f"{person} is counted {count} times")


def _is_customer(ids: Sequence[str], evidence: Evidence) -> bool:
    shown = [evidence.shown.get(lead_id, Standing("")) for lead_id in ids]
    return any(each.into is None and (each.state, each.outcome) == ("closed", "won") for each in shown)


def _disputed(sent: Sequence[Activity]) -> bool:
    return {"rejected", "accepted"} <= {activity.kind for activity in sent}


def _overruled(inquiries: Sequence[Inquiry], sent: Sequence[Activity]) -> bool:
    """Whether sales certainly rejected the person's lead, and accepted it after that."""
    if not _disputed(sent):
        return False
    rejected, accepted = (min(a.first_tried_at for a in sent if a.kind == kind) for kind in ("rejected", "accepted"))
    before = [each for each in sent if each.first_tried_at < accepted]
    answered = all(each.accepted_at is not None and each.accepted_at < accepted for each in before)
    return rejected < accepted and answered and _ended_by("rejected", inquiries, before)


def _ended_by(kind: str, inquiries: Sequence[Inquiry], sent: Sequence[Activity]) -> bool:
    """Whether sales certainly ended the person's lead so: only so, and after all inquiries."""
    ends = [each for each in sent if each.kind in ENDS]
    asked_at = [each.accepted_at for each in inquiries if each.accepted_at is not None]
    if not ends or not asked_at or len(asked_at) < len(inquiries):
        return False
    return all(each.kind == kind and each.first_tried_at > max(asked_at) for each in ends)


def _by_person(ledger: Ledger, records: Sequence[Record]) -> Mapping[str, tuple[list[Inquiry], list[Activity]]]:
    """What each person sent, and what was reported on them; nothing of people whose facts a wrong clock has dated,
    which may have them in another order.
    """
    found: defaultdict[str, tuple[list[Inquiry], list[Activity]]] = defaultdict(lambda: ([], []))
    for inquiry in ledger.inquiries.values():
        found[inquiry.person][0].append(inquiry)
    for activity in ledger.activities.values():
        found[activity.person][1].append(activity)
    dated = _dates(records)
    for person, (inquiries, sent) in list(found.items()):
        spans = [(id_, each.first_tried_at, each.accepted_at) for each in inquiries for id_, _ in each.answers]
        spans += [(each.activity_id, each.first_tried_at, each.accepted_at) for each in sent]
        if any(id_ in dated and end is not None and not begin <= dated[id_] <= end for id_, begin, end in spans):
            found[person] = ([], [])
    return found


def _dates(records: Sequence[Record]) -> Mapping[str, datetime]:
    """When Baton says it first accepted each inquiry and activity."""
    found: dict[str, datetime] = {}
    for record in records:
        if "accepted_at" in record.data:
            at = datetime.fromisoformat(record.data["accepted_at"])
            for name in ("inquiry_id", "activity_id"):
                if name in record.data:
                    found[record.data[name]] = min(at, found.get(record.data[name], at))
    return found
