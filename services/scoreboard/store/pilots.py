"""First assignments of leads in the arms of pilots, and what became of the first responses promised with them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from services.scoreboard.domain.pilots import ArmFigures, attainment, median_places
from services.scoreboard.domain.promises import FIRST_RESPONSE
from services.scoreboard.store.tables import leads, windows
from services.scoreboard.store.tables import pilot_assignments as table
from shared.db.bulk import insert_or_skip, row_of
from shared.db.engine import Tx
from shared.domain.events import LeadAssigned

_PROMISED = table.join(
    windows,
    sa.and_(
        windows.c.lead_id == table.c.lead_id,
        windows.c.generation == table.c.generation,
        windows.c.promise == FIRST_RESPONSE,
    ),
)
_CONTINUES = table.c.lead_id.not_in(sa.select(leads.c.lead_id).where(leads.c.merged_into.is_not(None)))
"""A person whose leads were merged counts once, in the arm of the lead that continues."""


async def save(tx: Tx, events: Iterable[LeadAssigned]) -> None:
    """Save the assignments that are the first of a lead in an arm."""
    rows = [row_of(table, event, pilot=each.pilot, arm=each.arm) for event in events for each in event.pilot_arms]
    await insert_or_skip(tx, table, rows)


async def promises(tx: Tx, since: datetime) -> dict[str, dict[str, ArmFigures]]:
    """The figures of each pilot, by name and arm, for leads that were assigned first since an instant."""
    # By state first: grouped by pilot first, SQLite would read all assignments, not only those since the instant.
    columns = (windows.c.state, table.c.pilot, table.c.arm)
    query = sa.select(*columns, sa.func.count()).select_from(_PROMISED).where(table.c.assigned_at >= since, _CONTINUES)
    numbers: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: {"draft": {}, "in_force": {}})
    for state, pilot, arm, number in await tx.execute(query.group_by(*columns)):
        numbers[pilot][arm][state] = number
    return {
        pilot: {arm: await _figures(tx, pilot, arm, since, by_state) for arm, by_state in arms.items()}
        for pilot, arms in sorted(numbers.items())
    }


async def _figures(tx: Tx, pilot: str, arm: str, since: datetime, by_state: dict[str, int]) -> ArmFigures:
    met, breached = by_state.get("met", 0), by_state.get("breached", 0)
    return ArmFigures(
        met=met,
        breached=breached,
        running=by_state.get("open", 0),
        cancelled=by_state.get("cancelled", 0),
        attainment=attainment(met, breached),
        median_first_response_s=await _median_s(tx, pilot, arm, since, median_places(met, breached)),
    )


async def _median_s(tx: Tx, pilot: str, arm: str, since: datetime, places: tuple[int, ...]) -> float | None:
    if not places:
        return None
    of_arm = (table.c.pilot == pilot, table.c.arm == arm, table.c.assigned_at >= since, _CONTINUES)
    query = (
        sa.select(windows.c.opened_at, windows.c.ended_at)
        .select_from(_PROMISED)
        .where(*of_arm, windows.c.state == "met")
        .order_by(windows.c.ended_at.op("-")(windows.c.opened_at))
        .offset(places[0])
        .limit(len(places))
    )
    times: list[float] = [(ended_at - opened_at).total_seconds() for opened_at, ended_at in await tx.execute(query)]
    return sum(times) / len(times)
