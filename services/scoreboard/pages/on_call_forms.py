"""What the forms of the operations board show: acknowledge, silence, end a silence, stand in. Plain values, no markup.

They are sent to the monitor. What is arranged there, a script asks for: silences, and who stands in on duty.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from services.scoreboard.domain.leads import LeadRow
from services.scoreboard.domain.promises import EscalationRow, WindowRow
from services.scoreboard.pages.operations import OnDutyRow, duty_row
from services.scoreboard.store import operations, queries
from shared.agreements import store as agreements
from shared.db.engine import Tx
from shared.domain.agreement import Agreement
from shared.domain.duty import on_duty
from shared.domain.errors import NotFound

MAX_PEOPLE = 300
"""People to choose from; with more of them, one is typed."""
DURATIONS = ("30 minutes", "1 hour", "2 hours", "4 hours")
TURNS = ("2 hours", "8 hours", "1 day", "1 week")


@dataclass(frozen=True, slots=True)
class Choice:
    """People to choose from by id: those `on_duty` by the agreement, and the others. Empty: one is typed."""

    on_duty: Sequence[str] = ()
    others: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class EscalationPage:
    """One escalation with its promise and lead, and who may acknowledge it."""

    now: datetime
    zone: ZoneInfo
    escalation: EscalationRow
    window: WindowRow | None
    lead: LeadRow | None
    people: Choice
    durations: Sequence[str] = DURATIONS


@dataclass(frozen=True, slots=True)
class SilencePage:
    """A silence that someone may end."""

    now: datetime
    zone: ZoneInfo
    silence_id: str
    people: Choice


@dataclass(frozen=True, slots=True)
class DutyPage:
    """A role of the duty rota, and who of the `team` may stand in; `duty` is None if the agreement does not have it."""

    now: datetime
    zone: ZoneInfo
    role: str
    duty: OnDutyRow | None
    team: Choice
    people: Choice
    turns: Sequence[str] = TURNS


async def escalation_page(tx: Tx, escalation_id: str, now: datetime, zone: ZoneInfo) -> EscalationPage:
    """One escalation. Raises `NotFound` if there is none."""
    escalation = await operations.escalation(tx, escalation_id, now)
    if escalation is None:
        raise NotFound(f"There is no escalation {escalation_id!r}. The board lists those that are open.")
    agreement = await agreements.in_force(tx, now)
    return EscalationPage(
        now=now,
        zone=zone,
        escalation=escalation,
        window=await operations.window(tx, escalation.window_id) if escalation.window_id else None,
        lead=await queries.lead(tx, escalation.lead_id) if escalation.lead_id else None,
        people=_people(agreement, now),
    )


async def silence_page(tx: Tx, silence_id: str, now: datetime, zone: ZoneInfo) -> SilencePage:
    """The form that ends a silence. Whether there is such a silence, only the monitor knows."""
    return SilencePage(now, zone, silence_id, _people(await agreements.in_force(tx, now), now))


async def duty_page(tx: Tx, role: str, now: datetime, zone: ZoneInfo) -> DutyPage:
    """The form by which someone stands in for whoever has a role."""
    agreement = await agreements.in_force(tx, now)
    row = duty_row(agreement, role, now) if agreement is not None and role in agreement.duty else None
    team = (
        Choice((), sorted(agreement.team)) if agreement is not None and len(agreement.team) <= MAX_PEOPLE else Choice()
    )
    return DutyPage(now, zone, role, row, team, _people(agreement, now))


def _people(agreement: Agreement | None, now: datetime) -> Choice:
    if agreement is None or len(agreement.people) > MAX_PEOPLE:
        return Choice()
    roles: Collection[str] = agreement.duty
    ids = {on_duty(agreement.duty, role, now).person for role in roles}
    people = sorted(agreement.people)
    return Choice([each for each in people if each in ids], [each for each in people if each not in ids])
