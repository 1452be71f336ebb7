"""Audits promises of marketing: works out from the timeline what counted in each period that a window is about."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from services.scoreboard.domain.audit.comparison import Finding, finding_on
from services.scoreboard.domain.audit.periods import Tally, handed_over, period_finding
from services.scoreboard.domain.audit.persons import persons_of
from services.scoreboard.domain.audit.record import FoundWindow, Record
from services.scoreboard.domain.audit.working_time import NotChecked
from services.scoreboard.store import audits
from shared.db.engine import Database
from shared.domain.agreement import Agreement

PAGE = 100
MAX_LEADS = 20_000
"""How many leads of a period are counted once more at most; a period with more is not checked."""


async def period_findings(
    database: Database, windows: Sequence[FoundWindow], agreements: Mapping[str, Agreement], record: Record
) -> list[Finding]:
    """What there is to say about promises on periods. `agreements` are by hash."""
    tallies: dict[tuple[object, timedelta], Tally | str] = {}
    found = []
    for window in windows:
        agreement = agreements.get(window.agreement.hash) if window.agreement is not None else None
        commitment = agreement.commitments.get(window.promise) if agreement is not None else None
        if window.period is None or commitment is None:
            found.append(finding_on(window, "not checked", why="its agreement is not stored"))
            continue
        key = (window.period, window.tolerance)
        if key not in tallies:
            over = record.now >= window.due_at
            tallies[key] = await _tally(database, window) if over else Tally(window.opened_at, window.due_at)
        tally = tallies[key]
        if isinstance(tally, str):
            found.append(finding_on(window, "not checked", why=tally))
        else:
            found.append(period_finding(window, commitment, tally, record))
    return found


async def _tally(database: Database, window: FoundWindow) -> Tally | str:
    """What counts in the window's period, or why that cannot be said."""
    assert window.period is not None, "only windows of periods"  # noqa: S101
    period = window.period
    try:
        async with database.read() as tx:
            leads = await audits.leads_between(tx, period.starts_at, period.ends_at, limit=MAX_LEADS)
    except audits.TooMuch:
        return f"more than {MAX_LEADS} leads count in its period, or there is too much about them"
    tally, seen = Tally(period.starts_at, period.ends_at), set[str]()
    try:
        for at in range(0, len(leads), PAGE):
            await _add(database, leads[at : at + PAGE], window.tolerance, tally, seen)
    except NotChecked as why:
        return str(why)
    return tally


async def _add(database: Database, lead_ids: Sequence[str], tolerance: timedelta, tally: Tally, seen: set[str]) -> None:
    async with database.read() as tx:
        history = await audits.history(tx, lead_ids)
    if history is None and len(lead_ids) == 1:
        raise NotChecked("the history of a person in its period is too long")
    if history is None:
        for lead_id in lead_ids:
            await _add(database, [lead_id], tolerance, tally, seen)
        return
    for person, counted in handed_over(persons_of(history.events, history.reported), history.lead_ids, tolerance):
        if person not in seen:
            seen.add(person)
            for each in counted:
                tally.add(each)
