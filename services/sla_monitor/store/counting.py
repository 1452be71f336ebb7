"""Counts hand-offs and decisions for promises about periods, in the transaction that reads them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from services.sla_monitor.domain.hand_offs import HandOff, counted, handed_off, seen_in
from services.sla_monitor.domain.lead_context import LeadContext
from services.sla_monitor.domain.persons import Persons
from services.sla_monitor.store import facts as fact_store
from services.sla_monitor.store import hand_offs as hand_off_store
from services.sla_monitor.store import periods as period_store
from services.sla_monitor.store import windows as window_store
from shared.db.engine import Tx
from shared.domain.events import Event, LeadAssigned


async def count_assignments(tx: Tx, events: Iterable[Event], context: LeadContext, *, tolerance: timedelta) -> None:
    """Count the first assignment of each lead in each cycle. `context` is what was known before these events."""
    persons = context.persons
    stored = {each.key: each for each in await hand_off_store.hand_offs_of(tx, persons.ids)}
    found = dict(stored)
    for event in events:
        if isinstance(event, LeadAssigned) and (event.lead_id, event.cycle) not in found:
            new = handed_off(event, context.windows(event.lead_id))
            found |= {new.key: new} if new is not None else {}
    await _save(tx, stored, counted(list(found.values()), persons, context.facts, tolerance), context.now)


async def count_decisions(
    tx: Tx, decided: Collection[str], persons: Persons, *, tolerance: timedelta, now: datetime
) -> None:
    """Count what sales decided on these people's leads. Those handed over under an earlier release are known by their
    windows.
    """
    ids = persons.ids_of(decided)
    stored = {each.key: each for each in await hand_off_store.hand_offs_of(tx, ids)}
    found = dict(stored)
    known = {lead_id for lead_id, _ in stored}
    uncounted = [each for each in ids if each not in known]
    windows = await window_store.windows_of(tx, uncounted) if uncounted else []
    for lead_id, cycle in sorted({(each.lead_id, each.cycle) for each in windows}):
        seen = seen_in(lead_id, cycle, windows)
        found |= {seen.key: seen} if seen is not None else {}
    if found:
        facts = await fact_store.facts_of(tx, ids)
        await _save(tx, stored, counted(list(found.values()), persons, facts, tolerance), now)


async def _save(tx: Tx, stored: Mapping[tuple[str, int], HandOff], derived: Sequence[HandOff], now: datetime) -> None:
    changed = [each for each in derived if stored.get(each.key) != each]
    if not changed:
        return
    await hand_off_store.save_hand_offs(tx, changed)
    before = [stored[each.key] for each in changed if each.key in stored]
    instants: list[datetime] = [at for each in (*before, *changed) for at in each.instants]
    if instants:
        await period_store.judge_again(tx, since_at=min(instants), now=now)
