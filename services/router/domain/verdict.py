"""What was decided on a lead, and the events that say so."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from services.router.domain.facts import Fact
from services.router.domain.lead import InquiryCopy, Lead, end_reason
from services.router.domain.proof import Proof
from shared.domain.agreement import Agreement, Person
from shared.domain.events import (
    Event,
    LeadAssigned,
    LeadBackdated,
    LeadClosed,
    LeadDecided,
    LeadParked,
    LeadSplit,
    LeaveInterval,
    PilotArm,
    RepRef,
)
from shared.domain.ids import assignment_id
from shared.domain.leave import changed
from shared.domain.promises import owed, respond_by

Decided = TypeVar("Decided", bound=LeadDecided)


class Verdict(msgspec.Struct, frozen=True):
    """What was decided: the lead as it is from now on, the event to announce, the proof to store.

    `further_events` say that other leads of the same person go on as this one. `errors` are those of conditions that
    failed and counted as a fact that is not there.
    """

    lead: Lead
    event: Event
    proof: Proof
    inquiry_id: str
    further_events: tuple[Event, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def raises_score(self) -> bool:
        """Whether an inquiry joined a lead that someone has, and raised its score."""
        before = self.proof.before
        joined = self.proof.verdict == "merged" and self.lead.state == "assigned"
        return joined and before is not None and self.lead.score > before.score


def with_owner(
    agreement: Agreement,
    lead: Lead,
    person: Person,
    pool: str,
    rule: str,
    now: datetime,
    leave: Sequence[LeaveInterval] = (),
) -> Lead:
    """The lead in the hands of a person from `now` on; `leave` is theirs that is not over."""
    generation = lead.generation + 1
    known = lead.owner_leave if had_it(lead, person.id) else leave
    owner_leave = changed(known, leave, now)
    promised = owed(
        agreement, rep=person.id, score=lead.score, assigned_at=now, leave=owner_leave, segments=lead.segments
    )
    return replace(
        lead,
        state="assigned",
        generation=generation,
        rep=person.id,
        last_rep=person.id,
        pool=pool,
        rule=rule,
        assignment_id=assignment_id(lead.lead_id, generation),
        assigned_at=now,
        respond_by=respond_by(promised),
        owner_leave=owner_leave,
    )


def assigned_since(lead: Lead, rep: str, reopened_at: datetime | None, now: datetime) -> datetime:
    """Since when the rep has the lead: one who had it before it was reopened, since then; anyone else, since `now`."""
    return reopened_at if reopened_at is not None and rep == lead.rep else now


def had_it(lead: Lead, rep: str) -> bool:
    """Whether the rep has the lead already, so that only their promises start again."""
    return lead.state == "assigned" and lead.rep == rep


def assigned_event(
    kind: type[LeadAssigned],
    agreement: Agreement,
    lead: Lead,
    *,
    previous: str | None = None,
    because: str | None = None,
    owner_away: str | None = None,
    arms: tuple[PilotArm, ...] = (),
) -> LeadAssigned:
    """The event that says who has the lead now. `arms` are those of pilots, on the first assignment of a cycle."""
    person = agreement.people[str(lead.rep)]
    return kind(
        lead_id=lead.lead_id,
        lead_version=lead.version,
        assignment_id=str(lead.assignment_id),
        generation=lead.generation,
        inquiry_id=lead.inquiry_id,
        rep=RepRef(person.id, person.email),
        previous_rep=previous,
        pool=str(lead.pool),
        rule=str(lead.rule),
        assigned_at=lead.assigned_at or lead.updated_at,
        received_at=lead.received_at,
        respond_by=lead.respond_by,
        stage=lead.stage,
        score=lead.score,
        reasons=lead.reasons,
        contact=lead.contact,
        company=lead.company,
        campaign=lead.campaign,
        channel=lead.channel,
        agreement=agreement.ref,
        cycle=lead.cycle,
        because=because,
        previous_ended_at=lead.previous_ended_at,
        owner_away=owner_away,
        owner_leave=lead.owner_leave,
        maybe_same_person=lead.maybe_same_person,
        pilot_arms=arms,
        segments=lead.segments,
    )


def parked_event(lead: Lead, queue: str, *, because: str | None = None) -> LeadParked:
    """The event that says in which queue the lead waits."""
    return decided_event(
        LeadParked,
        lead,
        queue=queue,
        because=because,
        cycle=lead.cycle,
        received_at=lead.received_at,
        previous_ended_at=lead.previous_ended_at,
        parked_at=lead.parked_at,
    )


def decided_event(
    kind: type[Decided], lead: Lead, *, reason: str | None = None, inquiry_id: str | None = None, **more: Any
) -> Decided:
    """The event of a decision without a new owner. `reason` and `inquiry_id` are the lead's, unless others are given;
    `more` are the fields that only this kind has.
    """
    return kind(
        lead_id=lead.lead_id,
        lead_version=lead.version,
        inquiry_id=inquiry_id or lead.inquiry_id,
        decided_at=lead.updated_at,
        reason=reason or lead.reason,
        stage=lead.stage,
        score=lead.score,
        agreement=lead.agreement,
        maybe_same_person=lead.maybe_same_person,
        **more,
    )


def split_event(lead: Lead, reason: str, *, was_part_of: str | None = None, split_off: str | None = None) -> LeadSplit:
    """The event that says that an id is of another person than the lead that it became part of."""
    return LeadSplit(
        lead_id=lead.lead_id,
        lead_version=lead.version,
        inquiry_id=lead.inquiry_id,
        decided_at=lead.updated_at,
        reason=reason,
        state=lead.state,
        stage=lead.stage,
        score=lead.score,
        rep=lead.rep,
        contact=lead.contact,
        company=lead.company,
        was_part_of=was_part_of,
        split_off=split_off,
    )


def backdated_event(lead: Lead, copy: InquiryCopy) -> LeadBackdated:
    """The event that says that the lead starts with an earlier copy of its inquiry."""
    return LeadBackdated(
        lead_id=lead.lead_id,
        lead_version=lead.version,
        inquiry_id=copy.inquiry_id,
        received_at=lead.received_at,
    )


def closed_event(lead: Lead, fact: Fact) -> LeadClosed:
    """The event that says that the person withdrew consent, by `fact`, also if the lead had ended before."""
    return LeadClosed(
        lead_id=lead.lead_id,
        lead_version=lead.version,
        inquiry_id=lead.inquiry_id,
        rep=lead.rep,
        outcome=fact.kind,
        reason=end_reason(fact),
        closed_at=fact.accepted_at,
    )
