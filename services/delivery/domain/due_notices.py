"""Which notices follow from an event about a promise, to whom, and what ends them.

Each notice has an id that is computed from what it is about, so that an event makes it once however often it is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from services.delivery.domain.channel_choice import PAGING
from services.delivery.domain.notice import ROUND, NoticeKind
from services.delivery.domain.notice_words import PAGED, step_in_words
from services.delivery.domain.sending_channel import SendingChannel
from shared.domain.events import (
    BreachRetracted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationExhausted,
    EscalationRaised,
    Event,
    Recipient,
    WindowBreached,
    WindowCancelled,
    WindowMet,
    WindowWarned,
)
from shared.domain.ids import event_id
from shared.domain.progress_text import pace_in_words, progress_in_words

_OF_LADDER: tuple[NoticeKind, ...] = ("breach", "exhausted")
_KINDS: Mapping[type[Event], NoticeKind] = {
    WindowWarned: "warning", EscalationRaised: "breach", EscalationExhausted: "exhausted",
}  # fmt: skip
NoticeStatus = Literal["due", "told", "failed", "dropped"]
UNREADABLE = "this release of Baton can't read the agreement under which the promise runs"
"""Why a notice has failed that another release could send."""


class DueNotice(msgspec.Struct, frozen=True, kw_only=True):
    """One notice to one person or role about one promise.

    `state` is `due`, then `told` (through `channel`), `failed` or `dropped`, each with the `reason`. `at` is when it
    happened, `due_at` when the promise is or was due. `by` acknowledged it until `until`, or is what closed it. `over`
    says what ended the matter; nothing is sent from then on. `pace` says how a period was going, `fault` whose the
    breach is, if it is about one. `again` is the event that fires it again after a silence, if it is that. `because` is
    why else a step fired again. Unless someone acts, `next_does` happens at `next_at`; empty if nothing is known of it.
    """

    notice_id: str
    event_id: str
    lead_id: str
    window_id: str
    escalation_id: str | None
    kind: NoticeKind
    page: bool
    role: str
    person: str | None
    promise: str
    owner: str
    agreement: str
    at: datetime
    due_at: datetime
    by: str = ""
    until: datetime | None = None
    state: NoticeStatus = "due"
    channel: str | None = None
    attempts: int = 0
    reason: str | None = None
    over: str | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = None
    message_id: str | None = None
    pace: str | None = None
    fault: str | None = None
    again: str | None = None
    because: str | None = None
    next_at: datetime | None = None
    next_does: str | None = None


class Draft(msgspec.Struct, frozen=True):
    """A notice to be stored, with the channels to try in order, and the incident that a pager knows it by. Nothing is
    sent before `not_before`, if that is given.
    """

    notice: DueNotice
    channels: tuple[SendingChannel, ...]
    incident_id: str
    not_before: datetime | None = None

    @property
    def alone(self) -> bool:
        """Whether this ends an incident at a pager, or acknowledges it."""
        return self.notice.kind in ("acknowledged", "closed") and self.channels[0].kind in PAGING

    @property
    def group(self) -> str:
        """What is the same for all notices that may be one message. What ends an incident at a pager is sent alone."""
        notice, [first, *others] = self.notice, self.channels
        ways = "\x1e".join(each.lane(notice.role, notice.person) for each in (first, *others))
        parts = (notice.role, notice.person or "", notice.kind, str(notice.page), notice.agreement, ways)
        return event_id(*parts, self.incident_id if self.alone else "", prefix="to")


class Told(msgspec.Struct, frozen=True):
    """A notice that was sent: the way by which it was, and the incident that a pager knows it by. `grouped` means that
    the incident stands for several promises, `unsure` that the channel may have taken it without saying so.
    """

    notice: DueNotice
    channel: SendingChannel
    incident_id: str
    grouped: bool
    unsure: bool = False


class Ending(msgspec.Struct, frozen=True):
    """What an event ends or changes: notices of `kinds` about the window or, if given, the escalation.

    `over` says how the matter ended; None if it goes on. `follow_up` is what those who were told get; `pagers_only`
    restricts it to channels that have to close what they opened.
    """

    window_id: str
    over: str | None
    kinds: tuple[NoticeKind, ...]
    event_id: str
    at: datetime
    escalation_id: str | None = None
    follow_up: Literal["acknowledged", "closed"] | None = None
    pagers_only: bool = False
    by: str = ""
    until: datetime | None = None


def notices_of(event: Event, event_id_: str) -> list[DueNotice]:
    """The notices that are due by this event: one for each role and person that it names."""
    if isinstance(event, EscalationExhausted):
        return [_notice(event, event_id_, each) for each in dict.fromkeys(event.to)]
    if not isinstance(event, WindowWarned | EscalationRaised):
        return []
    return [_notice(event, event_id_, each) for each in dict.fromkeys(_recipients(event))]


def endings_of(event: Event, event_id_: str) -> Iterator[Ending]:
    """What the event ends, or what those who were told should know of it.

    A warning is over when its promise is, however it ends; only pagers, which would go on, are told so. The end of an
    escalation is for everyone who was told of it.
    """
    match event:
        case WindowBreached():
            yield Ending(event.window_id, "breached", ("warning",), event_id_, event.at)
        case WindowMet() | WindowCancelled() | BreachRetracted():
            yield _of_warning(event.window_id, _end_of(event), event_id_, event.at)
        case EscalationAcknowledged():
            yield Ending(
                event.window_id, None, _OF_LADDER, event_id_, event.at, event.escalation_id, "acknowledged",
                by=event.by, until=event.until,
            )  # fmt: skip
        case EscalationClosed():
            yield _of_warning(event.window_id, event.reason, event_id_, event.at)
            yield Ending(
                event.window_id, event.reason, _OF_LADDER, event_id_, event.at, event.escalation_id, "closed",
                by=event.reason,
            )  # fmt: skip


def incident_of(notice: DueNotice, begun: str | None) -> str:
    """By what a pager knows the notice. An incident that was acknowledged stays quiet whatever it is sent, so after
    each acknowledgement in Baton there is a new one. So there is after each silence: during it, people may have set the
    pager to rest in its own way. `begun` is the event of the latest of these, if any.
    """
    if begun is None:
        return notice.window_id
    return f"{notice.window_id}{ROUND}{event_id(begun, prefix='rd')[-8:]}"


def fires_again(event: Event) -> bool:
    """Whether the event fires, at the end of a silence, what that kept silent."""
    return isinstance(event, EscalationRaised) and event.because == "silence_ended"


def follow_ups(ending: Ending, told: Sequence[Told]) -> Iterator[Draft]:
    """What those who were told get, through the same channel: one for each person and channel, and at a pager for each
    incident.

    Someone who acknowledged it knows. An incident that stands for several promises is not acknowledged or resolved for
    one of them: the caller leaves it out of `told` until that is so for all.
    """
    if ending.follow_up is None:
        return
    latest: Mapping[object, Told] = {_receiver(each): each for each in told}
    for each in latest.values():
        pager = each.channel.kind in PAGING
        if not pager and (ending.pagers_only or each.notice.person == ending.by):
            continue
        yield Draft(_following(ending, each), (each.channel,), each.incident_id)


def _receiver(told: Told) -> tuple[str | None, ...]:
    role, person = told.notice.role, told.notice.person
    incident = told.incident_id if told.channel.kind in PAGING else None
    return role, person, told.channel.lane(role, person), incident


def _following(ending: Ending, told: Told) -> DueNotice:
    assert ending.follow_up is not None  # noqa: S101 (the caller has looked)
    once = ending.event_id if ending.follow_up == "acknowledged" else ""
    way = [told.channel.lane(told.notice.role, told.notice.person)] if told.unsure else []
    return msgspec.structs.replace(
        told.notice,
        notice_id=event_id(ending.follow_up, told.notice.notice_id, once, *way, prefix="nt"),
        event_id=ending.event_id,
        kind=ending.follow_up,
        at=ending.at,
        by=ending.by,
        until=ending.until,
        state="due",
        channel=None,
        attempts=0,
        reason=None,
        over=None,
        ended_at=None,
        message_id=None,
        pace=None,
        again=None,
        because=None,
        next_at=None,
        next_does=None,
    )


def _of_warning(window_id: str, over: str, event_id_: str, at: datetime) -> Ending:
    return Ending(window_id, over, ("warning",), event_id_, at, None, "closed", pagers_only=True, by=over)


def _end_of(event: WindowMet | WindowCancelled | BreachRetracted) -> str:
    if isinstance(event, WindowMet):
        return "met"
    return event.reason or "breach retracted" if isinstance(event, BreachRetracted) else event.reason


def _recipients(event: WindowWarned | EscalationRaised) -> Sequence[Recipient]:
    """Who is to be notified; in records of an earlier release, roles alone. A page that names no one is for ops."""
    if event.to or event.skipped:
        return event.to
    roles = event.notify or event.told
    if not roles and isinstance(event, EscalationRaised) and event.page:
        roles = (PAGED,)
    return [Recipient(role) for role in roles]


def _notice(event: WindowWarned | EscalationRaised | EscalationExhausted, event_id_: str, to: Recipient) -> DueNotice:
    raised = event if not isinstance(event, WindowWarned) else None
    step = event.next_step if not isinstance(event, EscalationExhausted) else None
    return DueNotice(
        notice_id=event_id(event_id_, to.role, to.person or "", prefix="nt"),
        event_id=event_id_,
        lead_id=event.lead_id,
        window_id=event.window_id,
        escalation_id=raised.escalation_id if raised else None,
        kind=_KINDS[type(event)],
        page=raised.page if raised else False,
        role=to.role,
        person=to.person,
        promise=event.promise,
        owner=event.owner,
        agreement=event.agreement.hash if event.agreement is not None else "",
        at=event.at,
        due_at=(raised.promise_due_at if raised else None) or event.due_at,
        pace=_pace(event) if not isinstance(event, EscalationExhausted) else None,
        fault=event.fault if isinstance(event, EscalationRaised) else None,
        again=event_id_ if fires_again(event) else None,
        because=event.because if isinstance(event, EscalationRaised) else None,
        next_at=step.at if step is not None else None,
        next_does=step_in_words(step) if step is not None else None,
    )


def _pace(event: WindowWarned | EscalationRaised) -> str | None:
    """How it goes: what a period comes to at this pace or, once it is over, what it came to."""
    if event.period is None or event.progress is None:
        return None
    if isinstance(event, WindowWarned):
        return pace_in_words(event.promise, event.period, event.progress)
    return progress_in_words(event.promise, event.progress)
