"""What the scoreboard shows of a lead: the person, state, owner, deadline and outcome.

The router publishes no event when sales ends a lead; the scoreboard derives it from what sales recorded. Facts count
for the verdict that they follow, so that the result does not depend on the order in which topics are read.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from services.scoreboard.domain.counters import ALL, EXPIRED_ORPHANS, ORPHANS, CounterKey
from services.scoreboard.domain.inquiries import OUTCOME_OF
from shared.domain.activities import ENDING, WITHDRAWN, ends_after, reported_stage
from shared.domain.events import (
    ActivityRecorded,
    InquiryReceived,
    LeadAssigned,
    LeadClosed,
    LeadDecided,
    LeadMerged,
    LeadParked,
    LeadRejected,
    LeadRescheduled,
    LeadSplit,
)
from shared.domain.lead import STAGES, Company, Contact, LeadStage, LeadState
from shared.domain.settlement import cycle_starts_at, passes_on, since_merge

HELD = ("assigned", "parked")

WAITS_IN = "waits in "
REJECTED_FOR = "rejected for "
REFUSED_FOR = "refused by sales for "
"""Names of counters begin so; what follows is the queue, the clause of the agreement, or the reason."""
NO_REASON = "no reason given"
LONGEST_LABEL = 200
"""How many characters of a reason are used to count and list leads; the timeline has the whole reason."""


class LeadRow(msgspec.Struct, frozen=True, kw_only=True):
    """One lead. `stage` is from the router, `sales_stage` the highest that sales reported, at `sales_at`. `version`
    guards against older verdicts; `received_at` is when the latest inquiry arrived.

    `inquiry_id` is the one that was judged last, and sales activities count from `began_at`. `settled_at` is the time
    of the latest verdict: assigned, waiting in `queue`, or rejected under `clause`. `ended_...` describe how sales
    ended it. `merged_into` is the lead that continues, and both are one person since `settled_at`; at `split_at`
    someone said that it is another person.

    While no inquiry and no verdict has come, the lead is an orphan: `orphan_activities` wait for it, the first since
    `orphan_since`, and at `orphan_expired_at` Baton gave up expecting an inquiry. They count all the same if it comes.
    """

    lead_id: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    job_title: str | None = None
    company: str | None = None
    source: str | None = None
    channel: str | None = None
    campaign: str | None = None
    received_at: datetime | None = None
    state: LeadState = "received"
    reason: str | None = None
    stage: str | None = None
    sales_stage: str | None = None
    sales_at: datetime | None = None
    score: int | None = None
    owner: str | None = None
    pool: str | None = None
    assigned_at: datetime | None = None
    respond_by: datetime | None = None
    inquiry_id: str | None = None
    began_at: datetime | None = None
    settled_at: datetime | None = None
    queue: str | None = None
    clause: str | None = None
    ended_at: datetime | None = None
    ended_as: str | None = None
    ended_by: str | None = None
    ended_because: str | None = None
    ended_text: str | None = None
    merged_into: str | None = None
    split_at: datetime | None = None
    version: int = -1
    respond_version: int = -1
    orphan_activities: int = 0
    orphan_since: datetime | None = None
    orphan_expired_at: datetime | None = None

    @property
    def reached(self) -> str | None:
        """How far the lead has come, as the router has it: the highest stage of this cycle."""
        if self.state not in (*HELD, "closed"):
            return self.stage
        if self.state == "closed" and self.ended_as == "won":
            return "customer"
        in_time = self.ended_at is None or self.sales_at is None or self.sales_at <= self.ended_at
        reported = (self.stage, self.sales_stage if in_time else None)
        return max((each for each in reported if each in STAGES), key=STAGES.index, default=self.stage)


def inquire(lead: LeadRow, event: InquiryReceived) -> LeadRow:
    """Add an inquiry of this person. The latest one is shown, and a test only if it is the first; known values are not
    removed.
    """
    if lead.received_at is not None and (event.test or event.accepted_at < lead.received_at):
        return lead
    return msgspec.structs.replace(
        lead,
        **_who(event.contact, event.company),
        source=event.source,
        channel=event.channel,
        campaign=event.campaign,
        received_at=event.accepted_at,
    )


def settle(lead: LeadRow, event: LeadAssigned | LeadDecided) -> LeadRow:
    """Apply the router's verdict; an older one changes nothing. A merged inquiry does not change its lead, and a lead
    that was merged stays merged.
    """
    if event.lead_version <= lead.version:
        return lead
    if lead.merged_into is not None:
        was_lead = not isinstance(event, LeadMerged)
        judged = event.inquiry_id if was_lead else lead.inquiry_id
        since = event.one_person_since if isinstance(event, LeadMerged) else None
        settled_at = since or lead.settled_at
        return msgspec.structs.replace(lead, version=event.lead_version, inquiry_id=judged, settled_at=settled_at)
    if isinstance(event, LeadMerged):
        return _merged(lead, event)
    if isinstance(event, LeadRejected) and event.stays is not None:
        return msgspec.structs.replace(lead, version=event.lead_version)
    lead = _judged(lead, event)
    version = {"version": event.lead_version, "respond_version": event.lead_version}
    changes: dict[str, Any] = {**version, "stage": event.stage, "score": event.score}
    if isinstance(event, LeadAssigned):
        changes |= _who(event.contact, event.company) if lead.received_at is None else {}
        changes |= {
            "state": "assigned",
            "owner": event.rep.id,
            "pool": event.pool,
            "assigned_at": event.assigned_at,
            "respond_by": event.respond_by,
            "settled_at": event.assigned_at,
        }
    else:
        parked = isinstance(event, LeadParked)
        changes |= {
            "state": OUTCOME_OF[event.TYPE],
            "reason": event.reason,
            "settled_at": event.decided_at,
            "queue": event.queue if isinstance(event, LeadParked) else None,
            "clause": None if parked else _label(clause_of(event.reason)),
        }
    if event.lead_version < lead.respond_version:
        changes |= {"respond_by": lead.respond_by, "respond_version": lead.respond_version}
    return _ended(msgspec.structs.replace(lead, **{**_NOTHING, **changes}))


def reschedule(lead: LeadRow, event: LeadRescheduled) -> LeadRow:
    """Apply a deadline that follows from the owner's leave; an older one changes nothing, nor does one of a lead that
    has gone to someone else or ended.
    """
    if event.lead_version <= lead.respond_version or lead.state == "closed":
        return lead
    return msgspec.structs.replace(lead, respond_by=event.respond_by, respond_version=event.lead_version)


def close(lead: LeadRow, event: LeadClosed) -> LeadRow:
    """The person withdrew consent, and may have done so before the lead began, where it does not count as a fact; an
    older event changes nothing, nor does one about a lead that has ended.
    """
    if event.lead_version < lead.version or lead.state not in HELD:
        return lead
    nothing = dict.fromkeys(_HOW_IT_ENDED)
    how = {**nothing, "ended_at": event.closed_at, "ended_as": event.outcome}
    return _ended(msgspec.structs.replace(lead, **how))


def join(lead: LeadRow, into: str, at: datetime, since: datetime | None = None) -> LeadRow:
    """The person's lead continues as `into`, as was decided at `at`; both are one person since then, or `since`."""
    if lead.merged_into is not None or (lead.split_at is not None and at <= lead.split_at):
        return lead
    gone = {"state": "merged", "reason": f"the same person is lead {into}", "merged_into": into}
    return msgspec.structs.replace(lead, **{**_NOTHING, **gone, "settled_at": since or at})


def split(lead: LeadRow, event: LeadSplit) -> LeadRow:
    """The lead after it was split from another one, or another one from it; an older event changes nothing."""
    if event.lead_version <= lead.version:
        return lead
    changes: dict[str, Any] = {
        "version": event.lead_version,
        **dict.fromkeys(_WHO),
        **_who(event.contact, event.company),
    }
    if event.was_part_of is not None:
        changes |= {**_NOTHING, "merged_into": None, "split_at": event.decided_at, "settled_at": event.decided_at}
        changes |= {"state": event.state, "stage": event.stage, "score": event.score, "owner": event.rep}
        if event.state == "closed":
            changes["inquiry_id"] = event.inquiry_id
    elif event.state != "closed" and lead.ended_at is not None and lead.ended_at <= event.decided_at:
        changes |= {**dict.fromkeys(_HOW_IT_ENDED), "state": event.state}
    return msgspec.structs.replace(lead, **changes)


def inherited(lead: LeadRow, ended: LeadRow) -> bool:
    """Whether the lead shows something that sales recorded under the ended id."""
    end, stage = ended.ended_at, ended.sales_at
    return (end is not None and end == lead.ended_at) or (stage is not None and stage == lead.sales_at)


def alone(lead: LeadRow, facts: Iterable[ActivityRecorded]) -> LeadRow:
    """The lead with what sales recorded under its own id only: `facts`, in the order of their acceptance."""
    nothing: dict[str, Any] = {**dict.fromkeys(_HOW_IT_ENDED), "sales_stage": None, "sales_at": None}
    if lead.state == "closed":
        nothing["state"] = "assigned" if lead.owner is not None else "parked"
    after = msgspec.structs.replace(lead, **nothing)
    for fact in facts:
        after = act(after, fact)
    return after


def inherit(lead: LeadRow, ended: LeadRow) -> LeadRow:
    """Let what sales recorded under an id that became part of the lead count for it, as far as it passes on; a stage
    does so as an end does. Until it is known whether the id had been a lead, nothing from before the merge counts.
    """
    known_as_id_only = ended.version >= 0 and ended.inquiry_id is None
    merged_at = None if known_as_id_only else ended.settled_at
    stage, at = ended.sales_stage, ended.sales_at
    if at is not None and stage in STAGES and since_merge(at, merged_at) and _raises(lead, stage, at):
        later = _later(at, lead.began_at, lead.ended_at if stage == "customer" else None)
        lead = msgspec.structs.replace(lead, sales_stage=stage, sales_at=at) if later else lead
    at = ended.ended_at
    kind = str(ended.ended_as)
    counts = at is not None and _later(at, lead.began_at, None) and _ends(lead, kind, at)
    if at is not None and counts and passes_on(kind, at, merged_at):
        how = {name: getattr(ended, name) for name in _HOW_IT_ENDED}
        lead = msgspec.structs.replace(lead, **how)
    return _ended(lead)


def act(lead: LeadRow, event: ActivityRecorded) -> LeadRow:
    """Sales did something that may raise the stage or end the lead; nothing from before the lead was what it is
    counts.
    """
    if lead.began_at is not None and event.accepted_at < lead.began_at:
        return lead
    stage = reported_stage(event.kind, event.stage)
    if stage is not None and _raises(lead, stage, event.accepted_at):
        lead = msgspec.structs.replace(lead, sales_stage=stage, sales_at=event.accepted_at)
    if event.kind in ENDING and _ends(lead, event.kind, event.accepted_at):
        lead = msgspec.structs.replace(
            lead,
            ended_at=event.accepted_at,
            ended_as=event.kind,
            ended_by=event.by,
            ended_because=_label(event.reason) or (NO_REASON if event.kind == "rejected" else None),
            ended_text=event.text,
        )
    return _ended(lead)


def counts_for(lead: LeadRow) -> Iterator[CounterKey]:
    """The counters of this lead: of its queue, of the clause that it failed, of sales' reason, or of orphans."""
    if lead.orphan_since is not None:
        yield ALL, ORPHANS if lead.orphan_expired_at is None else EXPIRED_ORPHANS
    if lead.state == "parked" and lead.queue is not None:
        yield ALL, WAITS_IN + lead.queue
    if lead.state == "rejected" and lead.clause is not None:
        yield ALL, REJECTED_FOR + lead.clause
    if lead.state == "closed" and lead.ended_as == "rejected":
        yield ALL, f"{REFUSED_FOR}{lead.ended_because}"


def _label(text: str | None) -> str | None:
    """The text for counting and listing leads: at most `LONGEST_LABEL` characters."""
    return text if text is None or len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"


def clause_of(reason: str) -> str:
    """The clause of the agreement that a reason is about, without what differs from lead to lead.

    >>> clause_of("score: 35 points, the agreement asks for 60")
    'score: the agreement asks for 60'
    >>> clause_of("a test: valid, rule 'large' would send it to strategic"), clause_of("excluded: student")
    ('a test', 'excluded: student')
    """
    part, _, detail = reason.partition(": ")
    if part == "a test":
        return part
    _, asks, asked = detail.rpartition("the agreement asks for ")
    return f"{part}: {asks}{asked}" if asks else reason


_WHO = ("name", "email", "phone", "job_title", "company")
_HOW_IT_ENDED = ("ended_at", "ended_as", "ended_by", "ended_because", "ended_text")
_NOTHING = {"reason": None, "owner": None, "pool": None, "respond_by": None, "queue": None, "clause": None}


def _judged(lead: LeadRow, event: LeadAssigned | LeadDecided) -> LeadRow:
    """The lead as created by this inquiry; what sales recorded about an earlier one no longer counts.

    A fact may overtake the verdict, so facts count from the inquiry on, and in a later cycle after the end of the one
    before.
    """
    if event.inquiry_id == lead.inquiry_id:
        return _reopened(lead, event)
    return _since(msgspec.structs.replace(lead, inquiry_id=event.inquiry_id), _begins_at(event))


def _begins_at(event: LeadAssigned | LeadDecided) -> datetime:
    """From when facts are about the cycle that begins. Records of earlier releases may lack what it takes to know."""
    decided_at = event.assigned_at if isinstance(event, LeadAssigned) else event.decided_at
    if not isinstance(event, LeadAssigned | LeadParked) or event.received_at is None:
        return decided_at
    unknown = event.cycle > 1 and event.previous_ended_at is None
    return decided_at if unknown else cycle_starts_at(event.received_at, event.previous_ended_at)


def _reopened(lead: LeadRow, event: LeadAssigned | LeadDecided) -> LeadRow:
    """The lead in the same cycle: if sales reopened it, what it recorded before no longer counts."""
    ended_at = event.previous_ended_at if isinstance(event, LeadAssigned | LeadParked) else None
    if ended_at is None or lead.began_at is None or ended_at < lead.began_at:
        return lead
    return _since(lead, cycle_starts_at(lead.began_at, ended_at))


def _since(lead: LeadRow, began_at: datetime) -> LeadRow:
    changes: dict[str, Any] = {"began_at": began_at}
    if lead.sales_at is not None and lead.sales_at < began_at:
        changes |= {"sales_stage": None, "sales_at": None}
    if lead.ended_at is not None and lead.ended_at < began_at:
        changes |= dict.fromkeys(_HOW_IT_ENDED)
    return msgspec.structs.replace(lead, **changes)


def _merged(lead: LeadRow, event: LeadMerged) -> LeadRow:
    if event.into is not None:
        merged = msgspec.structs.replace(lead, version=event.lead_version)
        return join(merged, event.into, event.decided_at, event.one_person_since)
    state = lead.state
    if state == "received":
        state = "assigned" if event.rep else "merged"
    owner, score = event.rep or lead.owner, event.score if state in HELD else lead.score
    return msgspec.structs.replace(lead, version=event.lead_version, state=state, owner=owner, score=score)


def _raises(lead: LeadRow, stage: LeadStage, at: datetime | None) -> bool:
    """Whether sales has not reported a higher stage: in this cycle, since a fact from after the end begins another."""
    if lead.sales_at is None or lead.sales_stage not in STAGES:
        return True
    if at is not None and lead.ended_at is not None and lead.sales_at <= lead.ended_at < at:
        return True
    return STAGES.index(stage) > STAGES.index(lead.sales_stage)


def _ends(lead: LeadRow, kind: str, at: datetime) -> bool:
    """Whether this is how the lead ended: the last end by sales, or a withdrawal of consent if there is none."""
    if lead.ended_at is None or lead.ended_as is None:
        return True
    if WITHDRAWN in (kind, lead.ended_as) and kind != lead.ended_as:
        return kind != WITHDRAWN
    return ends_after(kind, at, lead.ended_as, lead.ended_at)


def _later(at: datetime | None, since: datetime | None, known_at: datetime | None) -> bool:
    return at is not None and (since is None or at >= since) and (known_at is None or at > known_at)


def _ended(lead: LeadRow) -> LeadRow:
    """Close the lead if sales ended it; it keeps its owner."""
    if lead.state not in HELD or lead.ended_at is None:
        return lead
    return msgspec.structs.replace(lead, state="closed", queue=None, respond_by=None)


def _who(contact: Contact, company: Company) -> dict[str, str]:
    name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    known = {
        "name": name,
        "email": contact.email,
        "phone": contact.phone,
        "job_title": contact.job_title,
        "company": company.name or company.domain,
    }
    return {field: value for field, value in known.items() if value}
