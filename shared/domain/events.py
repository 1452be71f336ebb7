"""All events on the bus, with their type names and topics.

Names say what happened. Events are immutable and only gain fields; a changed meaning is a new version of the type. All
instants are UTC. `TYPES` maps each type name to its struct and is the only list of types. Events about promises are
defined in `promise_events`, those about notices in `notice_events`, about leave in `leave_events`, activities in
`activity_events`, and the base of all in `event`.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from shared.domain.activity_events import ActivityRecorded, activity_id_of
from shared.domain.event import (
    ACTIVITIES,
    ASSIGNMENTS,
    ESCALATIONS,
    INQUIRIES,
    QUARANTINE,
    TOPICS,
    AgreementRef,
    Event,
    LeaveInterval,
    NextStep,
    PilotArm,
    Progress,
    PromisePeriod,
    PromiseSegment,
    Recipient,
    RepRef,
)
from shared.domain.lead import Company, Consent, Contact, Signal, Touch
from shared.domain.leave_events import LeadRescheduled
from shared.domain.notice_events import NoticeDelivered, NoticeEvent, NoticeFailed
from shared.domain.person_events import LeadSplit
from shared.domain.promise_events import (
    BreachRetracted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationEvent,
    EscalationExhausted,
    EscalationRaised,
    MoveRequested,
    PeriodProgressed,
    WindowBreached,
    WindowCancelled,
    WindowEvent,
    WindowMet,
    WindowOpened,
    WindowPaused,
    WindowRescheduled,
    WindowResumed,
    WindowWarned,
)

__all__ = [
    "ACTIVITIES",
    "ASSIGNMENTS",
    "ESCALATIONS",
    "INQUIRIES",
    "PUBLIC",
    "QUARANTINE",
    "TOPICS",
    "TYPES",
    "ActivityRecorded",
    "AgreementActivated",
    "AgreementRef",
    "BreachRetracted",
    "EscalationAcknowledged",
    "EscalationClosed", "EscalationEvent",
    "EscalationExhausted",
    "EscalationRaised",
    "Event",
    "InquiryReceived", "LeadAssigned",
    "LeadBackdated", "LeadClosed",
    "LeadDecided", "LeadMerged", "LeadParked",
    "LeadReassigned",
    "LeadRejected", "LeadRescheduled",
    "LeadSplit",
    "LeaveInterval",
    "MoveRequested", "NextStep",
    "NoticeDelivered", "NoticeEvent", "NoticeFailed",
    "PeriodProgressed", "PilotArm", "Progress", "PromisePeriod", "PromiseSegment",
    "Recipient",
    "RecordQuarantined",
    "RepRef",
    "WatermarkAdvanced",
    "WindowBreached", "WindowCancelled",
    "WindowEvent",
    "WindowMet",
    "WindowOpened", "WindowPaused",
    "WindowRescheduled", "WindowResumed",
    "WindowWarned",
    "activity_id_of",
]  # fmt: skip


class InquiryReceived(Event, frozen=True, kw_only=True, omit_defaults=True):
    """One submission by one person through one source, as accepted by ingest at `accepted_at`."""

    TYPE = "baton.inquiry.received.v1"
    TOPIC = INQUIRIES

    inquiry_id: str
    source: str
    kind: str
    accepted_at: datetime
    contact: Contact
    company: Company = Company()
    external_id: str | None = None
    occurred_at: datetime | None = None
    channel: str | None = None
    campaign: str | None = None
    page_url: str | None = None
    message: str | None = None
    consent: Consent | None = None
    signals: tuple[Signal, ...] = ()
    touches: tuple[Touch, ...] = ()
    custom: dict[str, Any] = {}  # noqa: RUF012 (msgspec copies it)
    test: bool = False


class WatermarkAdvanced(Event, frozen=True, kw_only=True):
    """A marker that an ingest instance writes to every partition: all activities it accepted before `upto` are ahead of
    this record.

    `lead_id` is empty: the record belongs to a partition, not to a lead. `state` is `running` or `left`. `inquiries` is
    the number of the last inquiry of `spool` that is on the log before this record: each carries its own number in its
    header, so a reader knows which it lacks. `said_at` is the instance's clock when it says this.
    """

    TYPE = "baton.watermark.advanced.v1"
    TOPIC = ACTIVITIES

    instance: str
    upto: datetime
    state: str = "running"
    inquiries: int = 0
    spool: str = ""
    said_at: datetime | None = None


class LeadAssigned(Event, frozen=True, kw_only=True):
    """A lead got its first owner (generation 1), or another one (`LeadReassigned`, higher generations).

    `cycle` counts how often this person became a lead. `because` says why a lead changed hands or waited: `missed`,
    `declined`, `manual`, `left` (the owner left the team), `on_leave` (they went on leave), `drained` (it was parked
    before), `reopened` (sales accepted it after rejecting it), `rescored` (another inquiry raised its score),
    `rejudged` (someone let it be judged again under another version) or `split` (it was part of another lead, or ended
    by what was reported under an id that was). `previous_ended_at` is when the fact was accepted that ended the lead
    before, or just before it was reopened: what ends this cycle comes later. `owner_away` says why the new owner is
    away, if they are. `owner_leave` is their leave that is not over: no working time. `pilot_arms` are the pilots in
    whose scope the lead was when it was judged first, at most 20, if this is the first assignment of its cycle.
    `segments` are those of promises that go by fields of the lead.
    """

    TYPE = "baton.lead.assigned.v1"
    TOPIC = ASSIGNMENTS

    lead_version: int
    assignment_id: str
    generation: int
    inquiry_id: str
    rep: RepRef
    previous_rep: str | None
    pool: str
    rule: str
    assigned_at: datetime
    received_at: datetime
    respond_by: datetime | None
    stage: str
    score: int
    reasons: tuple[str, ...]
    contact: Contact
    company: Company
    campaign: str | None
    channel: str | None
    agreement: AgreementRef
    cycle: int = 1
    because: str | None = None
    previous_ended_at: datetime | None = None
    owner_away: str | None = None
    owner_leave: tuple[LeaveInterval, ...] = ()
    maybe_same_person: tuple[str, ...] = ()
    pilot_arms: tuple[PilotArm, ...] = ()
    segments: tuple[PromiseSegment, ...] = ()


class LeadReassigned(LeadAssigned, frozen=True, kw_only=True):
    """A lead moved to another rep, or its promises start again with the rep who has it: it was reopened, or another
    inquiry raised its score. `previous_rep` had it until now, or until it was rejected.
    """

    TYPE = "baton.lead.reassigned.v1"


class LeadDecided(Event, frozen=True, kw_only=True):
    """The base of verdicts without a new owner."""

    TOPIC = ASSIGNMENTS

    lead_version: int
    inquiry_id: str
    decided_at: datetime
    reason: str
    stage: str
    score: int
    agreement: AgreementRef
    maybe_same_person: tuple[str, ...] = ()


class LeadParked(LeadDecided, frozen=True, kw_only=True):
    """No rep can take this qualified lead now; it waits in `queue`, and has waited since `parked_at` if it was only
    routed elsewhere. `cycle`, `received_at` and `previous_ended_at` are as in `LeadAssigned`; `received_at` and
    `parked_at` are null in records of an earlier release. `because` is `rejudged` if it was judged again.
    """

    TYPE = "baton.lead.parked.v1"

    queue: str
    cycle: int = 1
    received_at: datetime | None = None
    previous_ended_at: datetime | None = None
    because: str | None = None
    parked_at: datetime | None = None


class LeadRejected(LeadDecided, frozen=True, kw_only=True):
    """The inquiry does not qualify under the agreement; `reason` names the clause.

    `stays` is set when the lead does not change: only a further inquiry of a closed lead, or a test, is rejected. It is
    the state in which the lead stays, and `stage` and `score` are the inquiry's. `because` is `rejudged` if a parked
    lead was judged again.
    """

    TYPE = "baton.lead.rejected.v1"

    stays: str | None = None
    because: str | None = None


class LeadMerged(LeadDecided, frozen=True, kw_only=True):
    """The inquiry joined an existing lead. The owner, if any, does not change.

    `into` is set when this id of the person ends: the lead continues under that other id, and nothing more is owed
    under this one. `was` is the state that the lead had under this id, if there was one; how sales ended one of the two
    leads since `one_person_since` ends the other as well. `received_at` is set when the inquiry was accepted before all
    others read so far: the lead then starts with it, which may disprove a breach. `contact`, `company`, `kind`,
    `source` and `message` are what the person gave this time; they are null when another id of theirs ends with it.
    """

    TYPE = "baton.lead.merged.v1"

    rep: str | None
    into: str | None = None
    was: str | None = None
    one_person_since: datetime | None = None
    received_at: datetime | None = None
    contact: Contact | None = None
    company: Company | None = None
    kind: str | None = None
    source: str | None = None
    message: str | None = None


class LeadBackdated(Event, frozen=True, kw_only=True):
    """A lead starts earlier than announced: another ingest process had accepted the same inquiry before, at
    `received_at`. Its owner, state and deadline do not change. Facts since then count for the first owner, which may
    disprove a breach.
    """

    TYPE = "baton.lead.backdated.v1"
    TOPIC = ASSIGNMENTS

    lead_version: int
    inquiry_id: str
    received_at: datetime


class LeadClosed(Event, frozen=True, kw_only=True):
    """The person withdrew consent (`outcome` is `consent_withdrawn`): do not contact them. The lead has ended, now or
    before, and is not routed again until they give a new consent. `rep` had it last, if anyone. How sales ends a lead
    is not published.
    """

    TYPE = "baton.lead.closed.v1"
    TOPIC = ASSIGNMENTS

    lead_version: int
    inquiry_id: str
    rep: str | None
    outcome: str
    reason: str
    closed_at: datetime


class AgreementActivated(Event, frozen=True, kw_only=True):
    """A version of the agreement came into force; `lead_id` is the agreement's name."""

    TYPE = "baton.agreement.activated.v1"
    TOPIC = ASSIGNMENTS

    agreement: AgreementRef
    previous: AgreementRef | None
    effective_from: datetime
    activated_at: datetime
    approved_by: dict[str, str]


class RecordQuarantined(Event, frozen=True, kw_only=True):
    """Bytes that could not be processed, with their origin and the reason.

    `lead_id` is the record's key, or the source's name if no lead is known. `inquiry_id` is set if the bytes were an
    inquiry. `origin` is `source:NAME`, `TOPIC/PARTITION/OFFSET` or, for an event that the log refused,
    `outbox:SERVICE/EVENT`. If there are too many bytes, `body` has the beginning and `body_bytes` their number.
    """

    TYPE = "baton.record.quarantined.v1"
    TOPIC = QUARANTINE

    quarantine_id: str
    service: str
    origin: str
    code: str
    detail: str
    at: datetime
    body: bytes
    record_type: str | None = None
    inquiry_id: str | None = None
    body_bytes: int | None = None


def _concrete(kind: type[Event]) -> list[type[Event]]:
    found = [kind] if "TYPE" in vars(kind) else []
    for child in kind.__subclasses__():
        found += _concrete(child)
    return found


_IN_ORDER = sorted(_concrete(Event), key=lambda kind: TOPICS.index(kind.TOPIC))
TYPES: Mapping[str, type[Event]] = MappingProxyType({kind.TYPE: kind for kind in _IN_ORDER})
_PUBLISHED = [kind for kind in TYPES.values() if kind.TOPIC in (ASSIGNMENTS, ESCALATIONS) and kind is not MoveRequested]
PUBLIC = tuple(sorted(kind.TYPE for kind in _PUBLISHED))
"""Types that subscribers receive: by webhook, by pull, and on the public topics."""
