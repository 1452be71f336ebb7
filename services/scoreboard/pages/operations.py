"""What the operations board shows: what needs someone now, first. Plain values, no markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args
from zoneinfo import ZoneInfo

from services.scoreboard.domain.counters import ORPHANS
from services.scoreboard.domain.leads import LeadRow
from services.scoreboard.domain.promises import EscalationRow, WindowRow
from services.scoreboard.store import lists, operations, queries
from shared.agreement_file.schema.duty_schema import DutyRole
from shared.agreements import store as agreements
from shared.db import pauses
from shared.db.engine import Tx
from shared.db.gaps import Gap, open_gaps
from shared.db.pauses import Pause
from shared.domain.agreement import Agreement
from shared.domain.duty import on_duty

ROWS = 20
"""Escalations and promises on the page."""
COUNT_TO = 10_000
"""Where counting escalations stops."""
MAX_ROLES = 20
UNREAD = 100
"""Unread records up to which the page counts as up to date: what arrives within moments."""

Escalations = Sequence[tuple[EscalationRow, LeadRow | None]]


@dataclass(frozen=True, slots=True)
class OnDutyRow:
    """A role with the person who has it until `until_at` (None: for good), then the `following` person."""

    role: str
    person: str | None
    until_at: datetime | None
    following: str | None


@dataclass(frozen=True, slots=True)
class OperationsPage:
    """The board as of `now`. `doubts` say why it may not show everything; `done` is the escalation that this viewer
    has just acknowledged. `unread` records are not in it yet; None: not known. `unplanned` are the roles that the
    agreement in force plans no duty for. Activities wait for `orphans`, lead ids that no inquiry has.
    """

    now: datetime
    zone: ZoneInfo
    firing: Escalations
    firing_count: int
    acknowledged: Escalations
    acknowledged_count: int
    windows: Sequence[tuple[WindowRow, LeadRow | None]]
    window_count: int
    overdue: int
    duty: Sequence[OnDutyRow]
    unplanned: Sequence[str]
    gaps: Sequence[Gap]
    pauses: Sequence[Pause]
    unread: int | None
    done: str | None
    orphans: int
    count_to: int = COUNT_TO

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the page may not show everything."""
        found = []
        if self.unread is None:
            found.append("The event log does not answer, so there may be news that is not on this page.")
        elif self.unread > UNREAD:
            found.append(f"This page has still to read {self.unread:,} records, so it may show an earlier state.")
        if self.gaps or self.pauses:
            found.append("Some records of the log are not read. The scoreboard says which.")
        return tuple(found)

    @property
    def pending(self) -> bool:
        """Whether the escalation that was just acknowledged still shows as firing."""
        return any(escalation.escalation_id == self.done for escalation, _ in self.firing)


async def operations_page(
    tx: Tx, now: datetime, zone: ZoneInfo, *, unread: int | None, done: str | None
) -> OperationsPage:
    """The board."""
    agreement = await agreements.in_force(tx, now)
    return OperationsPage(
        now=now,
        zone=zone,
        firing=await operations.firing(tx, now, limit=ROWS),
        firing_count=await operations.firing_count(tx, now, limit=COUNT_TO),
        acknowledged=await operations.acknowledged(tx, now, limit=ROWS),
        acknowledged_count=await operations.acknowledged_count(tx, now, limit=COUNT_TO),
        windows=await queries.open_windows(tx, limit=ROWS),
        window_count=await queries.open_window_count(tx),
        overdue=await queries.overdue_count(tx, now, limit=COUNT_TO),
        duty=[duty_row(agreement, role, now) for role in sorted(agreement.duty)[:MAX_ROLES]] if agreement else (),
        unplanned=[role for role in get_args(DutyRole) if agreement is None or role not in agreement.duty],
        gaps=await open_gaps(tx),
        pauses=await pauses.running(tx),
        unread=unread,
        done=done,
        orphans=await lists.count(tx, ORPHANS),
    )


def duty_row(agreement: Agreement, role: str, now: datetime) -> OnDutyRow:
    """Who has a role by the agreement, without what was arranged at the monitor."""
    current = on_duty(agreement.duty, role, now)
    until_at = current.until_at
    following = on_duty(agreement.duty, role, until_at).person if until_at is not None else None
    return OnDutyRow(role, current.person, until_at, following)
