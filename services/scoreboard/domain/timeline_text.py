"""Each event as a sentence, for the timeline of a lead."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from services.scoreboard.domain.activity_words import DONE
from shared.agreement_text.phrases import listed
from shared.agreement_text.terms import CHANNELS
from shared.domain.events import (
    ActivityRecorded,
    AgreementActivated,
    BreachRetracted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationExhausted,
    EscalationRaised,
    Event,
    InquiryReceived,
    LeadAssigned,
    LeadBackdated,
    LeadClosed,
    LeadMerged,
    LeadParked,
    LeadReassigned,
    LeadRejected,
    LeadRescheduled,
    LeadSplit,
    MoveRequested,
    NoticeDelivered,
    NoticeEvent,
    NoticeFailed,
    PeriodProgressed,
    RecordQuarantined,
    WatermarkAdvanced,
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
from shared.domain.progress_text import pace_in_words, progress_in_words

REJUDGED = "rejudged"
_ABOUT = {
    "warning": "that the promise is due soon",
    "breach": "of the missed promise",
    "exhausted": "that nobody has answered and nothing more will follow",
    "acknowledged": "that someone acknowledged the escalation",
    "closed": "that it is over",
}


def describe(event: Event) -> str:
    """What happened, in a sentence. An event type without a sentence is shown by its name."""
    sentence = SENTENCES.get(type(event))
    return (
        sentence(event) if sentence else f"{words(event.TYPE.removeprefix('baton.').rpartition('.')[0]).capitalize()}."
    )


def words(name: str) -> str:
    """A name from an event as words.

    >>> words("demo_request")
    'demo request'
    """
    return name.replace("_", " ").replace(".", " ")


def plain(text: str) -> str:
    """A reason in words: codes become words, sentences stay unchanged.

    >>> plain("nobody_available"), plain("excluded: wrong_role"), plain("ann gave ld_1 back")
    ('nobody available', 'excluded: wrong role', 'ann gave ld_1 back')
    """
    return words(text) if " " not in text or text.startswith(("excluded: ", "consent: ")) else text


def _inquiry(event: InquiryReceived) -> str:
    campaign = f", campaign {event.campaign}" if event.campaign else ""
    test = " This was a test." if event.test else ""
    return f"{words(event.kind).capitalize()} received through {event.source}{campaign}.{test}"


def _activity(event: ActivityRecorded) -> str:
    done = DONE.get(event.kind, f"recorded: {words(event.kind)}")
    details = (event.outcome, event.reason, event.objection, event.content_id, event.stage)
    confirmed = f"confirmed {listed(tuple(map(words, event.confirmed)))}" if event.confirmed else None
    what = "; ".join([words(each) for each in details if each] + [each for each in (confirmed, event.text) if each])
    return f"{event.by or 'Someone'} {done}{f': {what}' if what else ''}."


def _assigned(event: LeadAssigned) -> str:
    if event.because is not None:
        return handed_over(event) + _away(event) + _again(event)
    pool = f" from the pool {event.pool}" if event.pool else ""
    assigned = f"Assigned to {event.rep.id}{pool}, by the rule “{event.rule}”, with score {event.score}."
    return assigned + _away(event) + _again(event) + _maybe(event.maybe_same_person)


def _reassigned(event: LeadReassigned) -> str:
    return handed_over(event) + _away(event)


def handed_over(event: LeadAssigned) -> str:
    """Why a lead changed hands, or was assigned after waiting, and who has it now."""
    before, now = event.previous_rep or "Someone", event.rep.id
    pool = f" in the pool {event.pool}" if event.pool else ""
    by_hand = f"{event.rule.capitalize()} from {before} to {now}{pool}."
    waited = f"After waiting, it was {event.rule} to {now}{pool}."
    origin = f" from {event.previous_rep}" if event.previous_rep else ""
    ways = {
        "drained": f"After waiting, it was assigned to {now}{pool}, by the rule “{event.rule}”.",
        "manual": waited if event.previous_rep is None else by_hand,
        "declined": f"{before} gave it back, so it moved to {now}{pool}.",
        "missed": f"{before} missed the promise, so it moved to {now}{pool}.",
        "reopened": f"Accepted after it had been rejected: it is open again, and {now}{pool} has it.",
        "rescored": f"Another inquiry raised the score to {event.score}. {now}{pool} has it; promises start again.",
        "rejudged": f"Judged again: assigned to {now}{pool}, by the rule “{event.rule}”, with score {event.score}.",
        "split": f"Two people had been taken for one: {now}{pool} has this lead, and its promises start again.",
        "left": f"{before} is no longer in the team, so it moved to {now}{pool}.",
        "on_leave": f"{before} went on leave, so it moved to {now}{pool}.",
    }
    return ways.get(event.because or "", f"Moved{origin} to {now}{pool}, by the rule “{event.rule}”.")


def _away(event: LeadAssigned) -> str:
    if event.owner_away is None:
        return ""
    waits = any(each.starts_at <= event.assigned_at < each.ends_at for each in event.owner_leave)
    return f" Warning: {event.rep.id} is {event.owner_away}{'; the clock waits' if waits else ''}."


def _maybe(leads: tuple[str, ...]) -> str:
    if not leads:
        return ""
    return f" Maybe the same person as {listed(leads)}: they share a phone number, under another name and address."


def _again(event: LeadAssigned) -> str:
    came_back = f" This is cycle {event.cycle}: sales had closed the lead, and the person came back."
    return came_back if event.cycle > 1 else ""


def _parked(event: LeadParked) -> str:
    again = "Judged again: " if event.because == REJUDGED else ""
    return f"{again}Parked in {event.queue}: no rep can take this lead now. {_sentence(event.reason)}"


def _rejected(event: LeadRejected) -> str:
    stays = f" The lead stays {event.stays}." if event.stays is not None else ""
    again = "Judged again: " if event.because == REJUDGED else ""
    return f"{again}Not a lead for sales under the agreement: {plain(event.reason)}.{stays}"


def _merged(event: LeadMerged) -> str:
    owner = f" {event.rep} keeps it." if event.rep and " keeps it" not in event.reason else ""
    if event.into is not None:
        return f"This id ends here: {plain(event.reason)}.{owner}"
    return f"Joined an existing lead: {plain(event.reason)}.{owner}"


def _split(event: LeadSplit) -> str:
    id_ = "This id" if event.split_off is None else f"The id {event.split_off}"
    return f"{id_} is a lead of its own again: {plain(event.reason)}."


def _closed_lead(event: LeadClosed) -> str:
    return f"The lead has ended: {plain(event.reason)}. Do not contact the person."


def _backdated(_: LeadBackdated) -> str:
    return "The lead starts earlier: another ingest process had accepted the same inquiry before."


def _activated(event: AgreementActivated) -> str:
    before = f" in place of version {event.previous.version}" if event.previous else ""
    return f"Version {event.agreement.version} of the agreement {event.agreement.name} came into force{before}."


_OWED = {
    "first_response": "to respond",
    "acceptance": "to accept the lead or give a reason",
    "attempts": "to make the agreed number of attempts",
    "disposition": "to accept or reject the lead",
    "feedback": "to say what became of the lead",
    "hand_off": "to see that the inquiry gets its verdict",
    "triage": "to find a rep for the lead",
    "disputes": "to answer the dispute",
    "volume": "to bring as many leads as sales is to accept",
    "accepted_share": "to bring leads that sales accepts",
    "completeness": "to hand over complete leads",
    "hand_off_latency": "to hand leads over quickly",
}
"""What the owner of a promise has to do, by the promise's name in the agreement."""


def _opened(event: WindowOpened) -> str:
    if event.again:
        return f"The promise “{words(event.promise)}” runs again: what ended it no longer counts."
    owed = f": {event.owner} has {_OWED[event.promise]}" if event.promise in _OWED else f" for {event.owner}"
    return f"The promise “{words(event.promise)}” started{owed}."


def _rescheduled(event: LeadRescheduled) -> str:
    away = next((each for each in event.owner_leave if each.ends_at > event.changed_at), None)
    if away is None:
        return f"{event.rep.id} has no more leave ahead; no clock waits for it."
    if away.starts_at <= event.changed_at:
        return f"{event.rep.id} is on leave until {_moment(away.ends_at)}; the clock waits."
    return f"{event.rep.id} has leave from {_moment(away.starts_at)} to {_moment(away.ends_at)}; the clock waits then."


def _due_again(event: WindowRescheduled) -> str:
    promise = words(event.promise)
    return f"The promise “{promise}” is due at {_moment(event.due_at)} now, since leave is no working time."


def _paused(event: WindowPaused) -> str:
    waits = f"The clock of the promise “{words(event.promise)}” stands still until {_moment(event.until)} at the latest"
    return f"{waits}; then it is due at {_moment(event.due_at)}."


def _resumed(event: WindowResumed) -> str:
    return f"The clock of the promise “{words(event.promise)}” runs again: it is due at {_moment(event.due_at)}."


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _warned(event: WindowWarned) -> str:
    silent = f"no warning, {_why(event)}"
    due = silent if event.skipped else f"a warning is due to {_reached(event) or 'no one'}"
    return f"The promise “{words(event.promise)}” is due soon{_pace(event)}: {due}."


def _pace(event: WindowEvent) -> str:
    if event.period is None or event.progress is None:
        return ""
    return f", {pace_in_words(event.promise, event.period, event.progress)}"


def _progressed(event: PeriodProgressed) -> str:
    so_far = progress_in_words(event.promise, event.progress) if event.progress is not None else "not known"
    return f"The promise “{words(event.promise)}”: {so_far}."


def _why(event: WindowWarned | EscalationRaised) -> str:
    skipped = event.skipped or ""
    return plain(skipped) if skipped.startswith("silenced: ") else f"since there was {skipped}"


def _reached(event: WindowWarned | EscalationRaised) -> str:
    people = [f"{each.role} ({each.person})" if each.person else each.role for each in event.to]
    absent = f" (nobody is on duty as {listed(event.absent)})" if event.absent else ""
    return listed(tuple(people) or event.notify or event.told) + absent


def _met(event: WindowMet) -> str:
    how = ": the lead has a rep" if event.promise == "triage" else ""
    how = ": the inquiry has its verdict" if event.promise == "hand_off" else how
    return f"{event.owner} kept the promise “{words(event.promise)}”{how}."


def _breached(event: WindowBreached) -> str:
    if event.period is not None and event.progress is not None:
        figures = progress_in_words(event.promise, event.progress)
        return f"The promise “{words(event.promise)}” was missed by the {event.period.per}'s end: {figures}."
    late = f"{event.owner} was late" if event.fault == "rep" else f"the hand-off reached {event.owner} too late"
    whose = f"{event.owner} did not find a rep in time" if event.promise == "triage" else late
    whose = "the inquiry had no verdict in time" if event.promise == "hand_off" else whose
    return f"The promise “{words(event.promise)}” was missed: {whose}."


def _cancelled(event: WindowCancelled) -> str:
    return f"The promise “{words(event.promise)}” no longer applies: {plain(event.reason)}."


def _retracted(event: BreachRetracted) -> str:
    why = "was kept" if event.reason is None else f"no longer applied: {plain(event.reason)}"
    return f"The breach of “{words(event.promise)}” was retracted: a late fact shows that the promise {why}."


_AGAIN = {
    "acknowledgement_ended": "The acknowledgement ran out without an answer",
    "silence_ended": "The silence ended without an answer",
    "": "Escalated again",
}


def _raised(event: EscalationRaised) -> str:
    if event.skipped and event.skipped.startswith("silenced: "):
        return f"Escalated to level {event.level}, and nobody is notified; {plain(event.skipped)}."
    if event.skipped:
        return f"Escalated to level {event.level}, but there was {event.skipped}: the next level follows at once."
    reached = _reached(event)
    due = [f"a notification to {reached}"] if reached else []
    due += ["a page"] if event.page else []
    what = f"Escalated to level {event.level}" if event.because is None else _AGAIN.get(event.because, _AGAIN[""])
    return f"{what}; due: {' and '.join(due) or 'nothing'}."


def _exhausted(event: EscalationExhausted) -> str:
    return f"The ladder is over after level {event.level}: nobody has answered, and nothing more will follow."


def _acknowledged(event: EscalationAcknowledged) -> str:
    return f"{event.by} acknowledged the escalation."


def _closed(event: EscalationClosed) -> str:
    return f"The escalation closed: {plain(event.reason)}."


def _told(event: NoticeDelivered) -> str:
    return f"{_recipient(event)} was told by {CHANNELS.get(event.channel, event.channel)} {_ABOUT.get(event.kind, '')}."


def _not_told(event: NoticeFailed) -> str:
    if event.next_channel is not None and event.channel is not None:
        by, after = (CHANNELS.get(kind, kind) for kind in (event.channel, event.next_channel))
        return f"{_recipient(event)} could not be told by {by} ({plain(event.reason)}); {after} is next."
    return f"{_recipient(event)} was not told {_ABOUT.get(event.kind, '')}: {plain(event.reason)}."


def _recipient(event: NoticeEvent) -> str:
    role = words(event.role)
    return f"{event.person} ({role})" if event.person else f"The role {role}"


def _move(event: MoveRequested) -> str:
    return f"Another rep in the {words(event.within)} was requested, because {event.owner} has not responded."


def _quarantined(event: RecordQuarantined) -> str:
    return f"{words(event.service).capitalize()} quarantined a record: {_sentence(event.detail)}"


def _watermark(event: WatermarkAdvanced) -> str:
    return f"All facts that {event.instance} has accepted are in the log."


def _sentence(text: str) -> str:
    shown = plain(text)
    return shown[:1].upper() + shown[1:] + ("" if shown.endswith(".") else ".")


SENTENCES: Mapping[type[Event], Callable[[Any], str]] = MappingProxyType(
    {
        InquiryReceived: _inquiry,
        ActivityRecorded: _activity,
        WatermarkAdvanced: _watermark,
        LeadAssigned: _assigned,
        LeadReassigned: _reassigned,
        LeadParked: _parked,
        LeadRejected: _rejected,
        LeadMerged: _merged,
        LeadSplit: _split,
        LeadBackdated: _backdated,
        LeadClosed: _closed_lead,
        LeadRescheduled: _rescheduled,
        AgreementActivated: _activated,
        WindowCancelled: _cancelled,
        WindowOpened: _opened,
        WindowPaused: _paused,
        WindowRescheduled: _due_again,
        WindowResumed: _resumed,
        PeriodProgressed: _progressed,
        WindowWarned: _warned,
        WindowMet: _met,
        WindowBreached: _breached,
        BreachRetracted: _retracted,
        EscalationRaised: _raised,
        EscalationExhausted: _exhausted,
        EscalationAcknowledged: _acknowledged,
        EscalationClosed: _closed,
        NoticeFailed: _not_told,
        NoticeDelivered: _told,
        MoveRequested: _move,
        RecordQuarantined: _quarantined,
    }
)
"""Event type to its sentence, in causal order."""

RANKS: Mapping[str, int] = MappingProxyType({kind.TYPE: rank for rank, kind in enumerate(SENTENCES)})
"""The order of events with the same instant."""
