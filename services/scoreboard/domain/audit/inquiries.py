"""By when each inquiry should have had its verdict, and when it had: the rules of docs/promises.md, written again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.scoreboard.domain.audit.expected import Expected
from services.scoreboard.domain.audit.persons import Activity, Persons
from shared.domain.agreement import Agreement, Promise
from shared.domain.agreement_versions import Version, version_in_force
from shared.domain.events import InquiryReceived, LeadAssigned, LeadDecided
from shared.domain.ids import event_id

HAND_OFF = "hand_off"


@dataclass(frozen=True, slots=True)
class Watched:
    """From when on verdicts were watched, None for never, and the versions of the agreement."""

    since_at: datetime | None = None
    versions: Sequence[Version] = ()


def owed_on(
    inquiries: Iterable[InquiryReceived], persons: Persons, agreements: Mapping[str, Agreement], watched: Watched
) -> Iterator[Expected]:
    """What is owed on inquiries, by the version that was in force when each was accepted. Nothing on tests, and nothing
    on what was accepted before verdicts were watched.
    """
    for inquiry in inquiries:
        version = version_in_force(watched.versions, inquiry.accepted_at)
        agreement = agreements.get(version.hash) if version is not None else None
        within = agreement.mql.hand_off_within if agreement is not None else None
        early = watched.since_at is None or inquiry.accepted_at < watched.since_at
        if agreement is None or within is None or inquiry.test or early:
            continue
        given = agreement.operations.get(HAND_OFF)
        at, lead_id = inquiry.accepted_at, inquiry.lead_id
        yield Expected(
            event_id("window", HAND_OFF, inquiry.inquiry_id),
            lead_id,
            given or Promise(HAND_OFF, within, (), "", "wall", side="operations"),
            agreement,
            "ops",
            0,
            0,
            at,
            at,
            None,
            (at + timedelta(seconds=within.seconds),),
            kinds=("decided",),
            assigned=tuple(_verdicts(inquiry, persons)),
        )


def _verdicts(inquiry: InquiryReceived, persons: Persons) -> Iterator[Activity]:
    for event in (event for decided in persons.decisions.values() for event in decided):
        if isinstance(event, LeadAssigned | LeadDecided) and event.inquiry_id == inquiry.inquiry_id:
            at = event.assigned_at if isinstance(event, LeadAssigned) else event.decided_at
            yield Activity(event.inquiry_id, inquiry.lead_id, "decided", max(at, inquiry.accepted_at))
