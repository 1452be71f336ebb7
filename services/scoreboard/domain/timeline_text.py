"""Each event as a sentence, for the timeline of a lead."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from services.scoreboard.domain.activity_words import DONE
from services.scoreboard.domain.event_words import moment, plain, sentence, words
from services.scoreboard.domain.promise_text import OF_PROMISES
from shared.agreement_text.phrases import listed
from shared.agreement_text.terms import CHANNELS
from shared.domain.events import (
    ActivityRecorded,
    AgreementActivated,
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
    RecordQuarantined,
    WatermarkAdvanced,
)

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
    text = SENTENCES.get(type(event))
    return text(event) if text else f"{words(event.TYPE.removeprefix('baton.').rpartition('.')[0]).capitalize()}."


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
    return f"{again}Parked in {event.queue}: no rep can take this lead now. {sentence(event.reason)}"


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


def _rescheduled(event: LeadRescheduled) -> str:
    away = next((each for each in event.owner_leave if each.ends_at > event.changed_at), None)
    if away is None:
        return f"{event.rep.id} has no more leave ahead; no clock waits for it."
    if away.starts_at <= event.changed_at:
        return f"{event.rep.id} is on leave until {moment(away.ends_at)}; the clock waits."
    return f"{event.rep.id} has leave from {moment(away.starts_at)} to {moment(away.ends_at)}; the clock waits then."


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
    return f"{words(event.service).capitalize()} quarantined a record: {sentence(event.detail)}"


def _watermark(event: WatermarkAdvanced) -> str:
    return f"All facts that {event.instance} has accepted are in the log."


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
        **OF_PROMISES,
        NoticeFailed: _not_told,
        NoticeDelivered: _told,
        MoveRequested: _move,
        RecordQuarantined: _quarantined,
    }
)
"""Event type to its sentence, in causal order."""

RANKS: Mapping[str, int] = MappingProxyType({kind.TYPE: rank for rank, kind in enumerate(SENTENCES)})
"""The order of events with the same instant."""
