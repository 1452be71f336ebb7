"""A lead as the router knows it, and what sales' own words change about it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from services.router.domain.facts import Fact, RememberedFact, happened_since
from services.router.domain.qualification import Intent
from shared.domain.activities import ANSWERS, CLOSING, FAILED, WITHDRAWN, ends_after, reported_stage
from shared.domain.events import (
    ActivityRecorded,
    AgreementRef,
    InquiryReceived,
    LeaveInterval,
    PilotArm,
    PromiseSegment,
)
from shared.domain.lead import Company, Contact, LeadStage, LeadState, Signal, highest
from shared.domain.settlement import cycle_starts_at

HELD = ("assigned", "parked")
"""States in which a further inquiry of the same person joins the lead."""

Party = TypeVar("Party", Contact, Company)

MAX_SIGNALS = 100
MAX_KEYS = 20
MAX_LATER = 20

NO_CONSENT = frozenset(
    {"", "none", "no", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interest",
     "legitimate_interests"}
)  # fmt: skip
"""Bases that are not the person's consent: the others of article 6 GDPR, and none. They do not end a withdrawal."""


class JoinedInquiry(msgspec.Struct, frozen=True):
    """An inquiry that joined a lead."""

    inquiry_id: str
    accepted_at: datetime


class ReportedEnd(msgspec.Struct, frozen=True):
    """That sales ended a lead, or the person withdrew consent: `under` which id that was reported, and why."""

    under: str
    kind: str
    at: datetime
    reason: str


class Lead(msgspec.Struct, frozen=True, omit_defaults=True):
    """A lead in the router; `version` counts its changes, `generation` its owners, `cycle` how often it became a lead.

    `into` is the lead that it was merged into, and both are one person since `one_person_since`; None if there was no
    lead under this id. `last_rep` had it last, including earlier cycles; `earlier_rep` had it last before this cycle.
    `missed_by` had it in this cycle and missed the promise, `declined_by` gave it back.
    `outcome` is how sales ended it, by a fact that was accepted at `ended_at`, which a lead that came back keeps.
    `owner_leave` is the owner's leave since they got it, as far as it was known by then, and what is known ahead.
    `answered_at` is when sales got in touch, accepted it or confirmed a stage last, as far as that may decide who
    gets it.
    In this cycle, `accepted_at` is when sales accepted it last, `sales_rejected` whether sales ever rejected it, and
    `reopened_at` since when it is open again after that.
    `later` are the newest inquiries of this cycle after its first: sales may turn out to have ended it before them.
    `others` are the ids of the newest inquiries of this cycle that are neither in `later` nor the one that made it a
    lead: they were rejected, or read late.
    `pilot` is the pilot whose draft decided on it last. `pilot_arms` are the arms in which it is since it was judged
    first, None if there are none or an earlier release judged it; read them as `arms`.
    `intents` and `signals` are remembered from all inquiries; `other_keys` are the person's addresses and numbers other
    than those of `contact`. `test` marks a lead of test inquiries only, which is nobody's. `maybe_same_person` are
    leads that share a number with it, of people with another address and another name; `number_shared` says that they
    are so many that its number finds nobody. `consent_at` and `withdrawn_at` are when the person last gave and withdrew
    consent. `was` is the state of a merged lead before, if its id had been a lead. `apart` are ids of the person, each
    with one of another person from which someone split it. `ends` are the latest ends that were
    reported under each id of the person. `segments` are those of promises in which it was when it was given to someone.
    """

    lead_id: str
    version: int
    state: LeadState
    stage: LeadStage
    score: int
    reason: str
    inquiry_id: str
    contact: Contact
    company: Company
    campaign: str | None
    channel: str | None
    received_at: datetime
    updated_at: datetime
    agreement: AgreementRef
    generation: int = 0
    rep: str | None = None
    pool: str | None = None
    rule: str | None = None
    reasons: tuple[str, ...] = ()
    assignment_id: str | None = None
    assigned_at: datetime | None = None
    respond_by: datetime | None = None
    owner_leave: tuple[LeaveInterval, ...] = ()
    missed_by: tuple[str, ...] = ()
    declined_by: tuple[str, ...] = ()
    cycle: int = 1
    into: str | None = None
    one_person_since: datetime | None = None
    last_rep: str | None = None
    earlier_rep: str | None = None
    outcome: str | None = None
    ended_at: datetime | None = None
    accepted_at: datetime | None = None
    answered_at: datetime | None = None
    sales_rejected: bool = False
    reopened_at: datetime | None = None
    consent_at: datetime | None = None
    withdrawn_at: datetime | None = None
    parked_at: datetime | None = None
    pilot: str | None = None
    pilot_arms: tuple[PilotArm, ...] | None = None
    intents: tuple[Intent, ...] = ()
    signals: tuple[Signal, ...] = ()
    other_keys: tuple[str, ...] = ()
    test: bool = False
    maybe_same_person: tuple[str, ...] = ()
    number_shared: bool = False
    later: tuple[JoinedInquiry, ...] = ()
    others: tuple[str, ...] = ()
    was: LeadState | None = None
    apart: tuple[tuple[str, str], ...] = ()
    ends: tuple[ReportedEnd, ...] = ()
    segments: tuple[PromiseSegment, ...] = ()

    @property
    def inquiry_ids(self) -> tuple[str, ...]:
        """The inquiries of this cycle, first the one on which it was judged last."""
        later = [each.inquiry_id for each in self.later]
        return tuple(dict.fromkeys((self.inquiry_id, *self.others, *later)))

    @property
    def state_before(self) -> LeadState | None:
        """The state that a merged lead had; None if its id had never been a lead. An earlier release did not note it:
        there it is only known that sales had ended the lead.
        """
        return self.was or ("closed" if self.outcome is not None and self.generation > 0 else None)

    @property
    def arms(self) -> tuple[PilotArm, ...]:
        """The arms of pilots in which it is. Of a lead from an earlier release only the draft that decided is known."""
        if self.pilot_arms is not None:
            return self.pilot_arms
        return (PilotArm(self.pilot, "draft"),) if self.pilot is not None else ()

    @property
    def previous_ended_at(self) -> datetime | None:
        """The last instant at which facts that end a lead were about the time before this one: when they ended the
        cycle before, or just before the lead was reopened. None if there was no such time.
        """
        if self.reopened_at is not None:
            return self.reopened_at - timedelta(microseconds=1)
        return self.ended_at if self.state in HELD else None

    @property
    def after_end(self) -> tuple[JoinedInquiry, ...]:
        """The inquiries that joined the lead although sales had ended it before they were accepted."""
        if self.state != "closed" or self.ended_at is None:
            return ()
        return tuple([each for each in self.later if each.accepted_at > self.ended_at])


class InquiryCopy(msgspec.Struct, frozen=True):
    """A copy of an inquiry that was judged before. Another ingest process accepted it, at `accepted_at`.

    `backdated` are the ids of the leads that start with it because it was accepted before the copy that was judged.
    """

    lead_id: str
    inquiry_id: str
    accepted_at: datetime
    backdated: tuple[str, ...] = ()


class LeadsRejudged(msgspec.Struct, frozen=True):
    """Leads that were judged again, in this order, if they were in one of `states` and nobody had acted on them: by
    whom, and why.
    """

    lead_ids: tuple[str, ...]
    states: tuple[LeadState, ...]
    by: str
    reason: str


def comes_before(lead: Lead | None, fact: Fact) -> bool:
    """Whether a fact waits, because there is no lead yet or it began later: an earlier inquiry may still turn up."""
    return lead is None or (lead.cycle == 1 and fact.accepted_at < lead.received_at)


def withdrawals_before(inquiries: Iterable[InquiryReceived], facts: Iterable[ActivityRecorded]) -> dict[str, datetime]:
    """When each person last withdrew consent before their inquiry, by inquiry id, if that is among the facts."""
    withdrawn = [fact for fact in facts if fact.kind == WITHDRAWN]
    if not withdrawn:
        return {}
    found = {}
    for inquiry in inquiries:
        theirs = (fact.accepted_at for fact in withdrawn if fact.lead_id == inquiry.lead_id)
        at = latest(each for each in theirs if each < inquiry.accepted_at)
        if at is not None:
            found[inquiry.inquiry_id] = at
    return found


def followed_by(lead: Lead, fact: Fact, now: datetime) -> Lead | None:
    """The lead after sales got in touch, accepted it, confirmed a stage of it, or ended it (rejected, won, lost), or
    the person withdrew consent; None when the fact changes nothing. No matter who ends it: a lead that waits for an
    owner can be ended too, and so can one that has moved on since. The highest stage of a cycle stays, and its last
    end; what was reported about the cycle before changes nothing about this one.
    """
    if fact.kind == WITHDRAWN:
        return _withdrawn(lead, fact, now)
    starts_at = cycle_starts_at(lead.received_at, lead.previous_ended_at)
    if lead.state not in (*HELD, "closed") or fact.accepted_at < starts_at:
        return None
    if lead.state == "closed":
        return _followed_after_end(lead, fact, now)
    reported = reported_stage(fact.kind, fact.stage)
    stage = highest(lead.stage, reported or lead.stage)
    if fact.kind in CLOSING:
        return _changed(lead, now, stage=stage, sales_rejected=_sales_rejected(lead, fact), **_end(lead, fact))
    after = {"stage": stage, "accepted_at": lead.accepted_at, "answered_at": lead.answered_at}
    if fact.kind == "accepted":
        after["accepted_at"] = latest((lead.accepted_at, fact.accepted_at))
    answered = fact.kind in ANSWERS and fact.outcome != FAILED and happened_since(fact, starts_at)
    if reported is not None or answered:
        after["answered_at"] = latest((lead.answered_at, fact.accepted_at))
    return _changed(lead, now, **after) if any(getattr(lead, name) != value for name, value in after.items()) else None


def _followed_after_end(lead: Lead, fact: Fact, now: datetime) -> Lead | None:
    """The lead that had ended when the fact was read; None when it changes nothing. The last end by sales counts, a
    withdrawal of consent only if there is none, and an acceptance is remembered: the rejection that it overrules may be
    read later.
    """
    if fact.kind == "accepted" and (lead.accepted_at is None or lead.accepted_at < fact.accepted_at):
        return _changed(lead, now, accepted_at=fact.accepted_at)
    if fact.kind not in CLOSING:
        return None
    rejected = _sales_rejected(lead, fact)
    known_at = lead.ended_at if lead.outcome != WITHDRAWN else None
    if known_at is None or ends_after(fact.kind, fact.accepted_at, str(lead.outcome), known_at):
        stage = highest(lead.stage, reported_stage(fact.kind, fact.stage) or lead.stage)
        return _changed(lead, now, stage=stage, sales_rejected=rejected, **_end(lead, fact))
    after = replace(lead, sales_rejected=rejected, ends=_with_end(lead, fact))
    return _changed(after, now) if after != lead else None


def _sales_rejected(lead: Lead, fact: Fact) -> bool:
    return lead.sales_rejected or "rejected" in (lead.outcome, fact.kind)


def reopened_at(lead: Lead, fact: Fact) -> datetime | None:
    """Since when the lead is open again because sales accepted it after rejecting it, as at the end of a dispute. None
    if the fact does not do that: the lead ended later, or the person has withdrawn consent. The facts may be read in
    any order.
    """
    rejected = lead.sales_rejected or lead.outcome == "rejected"
    if lead.state != "closed" or not rejected or lead.ended_at is None or not may_be_contacted(lead):
        return None
    if fact.kind == "accepted" and fact.accepted_at >= lead.ended_at:
        return cycle_starts_at(fact.accepted_at, lead.ended_at)
    overruled = lead.accepted_at is not None and lead.accepted_at > lead.ended_at
    return lead.accepted_at if fact.kind in CLOSING and overruled else None


def may_be_contacted(lead: Lead) -> bool:
    """Whether the person has not withdrawn consent, or has given it again since."""
    return lead.withdrawn_at is None or (lead.consent_at is not None and lead.consent_at >= lead.withdrawn_at)


def _withdrawn(lead: Lead, fact: Fact, now: datetime) -> Lead | None:
    """The lead without consent: closed, if it was not. A consent that was given later stays, and opens the lead again
    when the inquiry that gave it is judged again. So does a withdrawal that was known before the first inquiry of the
    lead was read.
    """
    if lead.test:
        return None
    starts_at = cycle_starts_at(lead.received_at, lead.previous_ended_at)
    asked_since = fact.accepted_at >= starts_at and any(each.accepted_at > fact.accepted_at for each in lead.later)
    known_since = any(at is not None and fact.accepted_at <= at for at in (lead.consent_at, lead.withdrawn_at))
    if known_since and not (asked_since and lead.state in HELD):
        return None
    changes = _end(lead, fact) if lead.state in HELD else {"ends": _with_end(lead, fact)}
    return _changed(lead, now, withdrawn_at=latest((lead.withdrawn_at, fact.accepted_at)), **changes)


def end_reason(fact: Fact) -> str:
    """Why the lead ended, by the fact that ended it."""
    if isinstance(fact, RememberedFact):
        return fact.reason
    return f"{fact.kind.replace('_', ' ')} by {fact.by or 'sales'}" + (f": {fact.reason}" if fact.reason else "")


def _end(lead: Lead, fact: Fact) -> dict[str, object]:
    return {
        "state": "closed",
        "outcome": fact.kind,
        "ended_at": fact.accepted_at,
        "reason": end_reason(fact),
        "parked_at": None,
        "ends": _with_end(lead, fact),
    }


def _with_end(lead: Lead, fact: Fact) -> tuple[ReportedEnd, ...]:
    """The ends that were reported, with this one; of each id the latest by sales, and the latest withdrawal."""
    known = {(each.under, each.kind == WITHDRAWN): each for each in lead.ends}
    end = ReportedEnd(fact.lead_id, fact.kind, fact.accepted_at, end_reason(fact))
    before = known.get(key := (end.under, end.kind == WITHDRAWN))
    if before is not None and before.at >= end.at:
        return lead.ends
    return tuple((known | {key: end}).values())[-MAX_KEYS:]


def consent_given_at(inquiry: InquiryReceived) -> datetime | None:
    """When the person gave the consent that the inquiry carries; None if it carries none, or another basis."""
    if inquiry.consent is None or inquiry.consent.basis.strip().casefold() in NO_CONSENT:
        return None
    return min(inquiry.accepted_at, inquiry.consent.given_at or inquiry.accepted_at)


def latest(instants: Iterable[datetime | None]) -> datetime | None:
    """The latest of the instants that are known."""
    return max((at for at in instants if at is not None), default=None)


def _changed(lead: Lead, now: datetime, **changes: object) -> Lead:
    return replace(lead, version=lead.version + 1, updated_at=now, **changes)


def first_received_at(lead: Lead, inquiry: InquiryReceived) -> datetime:
    """When the first inquiry of the lead was accepted, `inquiry`, which joins it, included: with several ingest
    processes an earlier one may be read later. Tests do not count, nor do inquiries that join a lead that came back.
    """
    if inquiry.test or lead.cycle > 1:
        return lead.received_at
    return min(lead.received_at, inquiry.accepted_at)


def joined_later(lead: Lead, inquiry: InquiryReceived) -> tuple[JoinedInquiry, ...]:
    """The newest inquiries of the lead's cycle after its first, with `inquiry`, which joins it: an earlier one may be
    read later.
    """
    new = JoinedInquiry(inquiry.inquiry_id, inquiry.accepted_at)
    if inquiry.accepted_at < lead.received_at:
        new = JoinedInquiry(lead.inquiry_id, lead.received_at)
    return tuple(sorted({*lead.later, new}, key=lambda each: (each.accepted_at, each.inquiry_id))[-MAX_LATER:])


def other_inquiries(lead: Lead, *inquiry_ids: str) -> tuple[str, ...]:
    """The newest of the lead's other inquiries, with these."""
    return tuple(dict.fromkeys((*lead.others, *inquiry_ids)))[-MAX_LATER:]


def backdated(lead: Lead, copy: InquiryCopy, judged: datetime, now: datetime) -> Lead | None:
    """The lead starting with `copy`, if it started with the copy that was judged, accepted at `judged`, or later ones
    joined it; None if the lead stays as it is.

    An inquiry from before the lead's start belongs to an earlier verdict and moves nothing. Nor does one of a lead that
    came back, or of a lead on which nobody ever owed anything.
    """
    never_owed = lead.state == "rejected" or (lead.into is not None and lead.generation == 0)
    if lead.cycle > 1 or never_owed or not copy.accepted_at < lead.received_at <= judged:
        return None
    return _changed(lead, now, received_at=copy.accepted_at)


def filled(first: Party, other: Party) -> Party:
    """`first`, with missing values taken from `other`."""
    missing = {name: getattr(other, name) for name in first.__struct_fields__ if getattr(first, name) is None}
    return replace(first, **missing)


def remembered_signals(before: tuple[Signal, ...], new: tuple[Signal, ...]) -> tuple[Signal, ...]:
    """All of them once, oldest first; the newest 100 when there are more."""
    if not before:
        return new
    every = dict.fromkeys((*before, *new))
    return tuple(sorted(every, key=lambda signal: signal.at)[-MAX_SIGNALS:])
