"""The windows with their escalations, as one state: read with the agreement that they need, saved with their events."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from services.sla_monitor.domain import transitions
from services.sla_monitor.domain.announcements import Announcement, escalation_acknowledged
from services.sla_monitor.domain.climb import acknowledge, over
from services.sla_monitor.domain.escalation import Escalation, acknowledged, escalation_id
from services.sla_monitor.domain.ladder import levels
from services.sla_monitor.domain.window import Window
from services.sla_monitor.domain.window_state import WindowState
from services.sla_monitor.store import escalations as escalation_store
from services.sla_monitor.store import holds as hold_store
from services.sla_monitor.store import persons as persons_store
from services.sla_monitor.store import windows as window_store
from services.sla_monitor.store.holds import LeadHold
from services.sla_monitor.store.tables import tables
from shared import metrics
from shared.agreements import store as agreements
from shared.bus.envelope import Envelope
from shared.db import outbox
from shared.db.engine import Tx
from shared.domain.agreement import Agreement
from shared.domain.errors import Misconfigured, NotFound, Unavailable
from shared.domain.events import BreachRetracted, WindowBreached, WindowCancelled, WindowMet, WindowOpened

SOURCE = "baton/sla_monitor"
_AT_ONCE = 500
_COUNTED = {
    WindowOpened.TYPE: "opened",
    WindowMet.TYPE: "met",
    WindowBreached.TYPE: "breached",
    WindowCancelled.TYPE: "cancelled",
    BreachRetracted.TYPE: "retracted",
}


async def agreement_of(tx: Tx, digest: str) -> Agreement:
    """The agreement with this hash. Raises `Unavailable` until it is stored."""
    try:
        return await agreements.by_hash(tx, digest)
    except NotFound as missing:
        raise Unavailable(missing.detail) from missing


async def states_of(tx: Tx, windows: Sequence[Window]) -> dict[str, WindowState]:
    """The windows with their escalations, by the id of the window."""
    breached = [escalation_id(window) for window in windows if window.breach_id is not None]
    escalations = await escalation_store.escalations_of(tx, breached) if breached else {}
    return {window.window_id: WindowState(window, escalations.get(window.window_id)) for window in windows}


async def save(tx: Tx, before: Mapping[str, WindowState], states: Mapping[str, WindowState], now: datetime) -> None:
    """Save all windows that differ from `before`, and publish their events."""
    changed = [state for window_id, state in states.items() if state is not before.get(window_id)]
    if not changed:
        return
    await window_store.save_windows(tx, [state.window for state in changed])
    await escalation_store.save_escalations(tx, [state.escalation for state in changed if state.escalation is not None])
    await window_store.save_fired(tx, [fired for state in changed for fired in state.fired])
    await announce(tx, [announcement for state in changed for announcement in state.announced])
    _count(changed, now)


async def take_on(tx: Tx, taken: Escalation, *, by: str, until: datetime | None, now: datetime) -> Escalation:
    """Save and publish that someone has taken an escalation on; its window must be locked."""
    found = await window_store.windows_by_id(tx, [taken.window_id])
    if not found:  # too old to be stored: its ladder is long over
        return await _take_on_without_window(tx, acknowledged(taken, by=by, until=until), by, now)
    [watched] = found
    try:
        agreement = await agreement_of(tx, watched.agreement.hash)
    except Misconfigured:  # its ladder waits for a release that reads it
        return await _take_on_without_window(tx, acknowledged(taken, by=by, until=until), by, now)
    before = WindowState(watched, taken)
    after = acknowledge(before, levels(agreement, watched), agreement, by=by, until=until, now=now)
    await save(tx, {watched.window_id: before}, {watched.window_id: after}, now)
    assert after.escalation is not None  # noqa: S101
    return after.escalation


async def _take_on_without_window(tx: Tx, taken: Escalation, by: str, now: datetime) -> Escalation:
    await escalation_store.save_escalations(tx, [taken])
    await announce(tx, [escalation_acknowledged(taken, by, now)])
    return taken


async def end_of_silence(tx: Tx, silence_id: str, now: datetime) -> None:
    """Have the timer look at once at all windows whose escalation this silence kept from notifying anyone."""
    ids = await escalation_store.silenced_windows(tx, silence_id)
    for start in range(0, len(ids), _AT_ONCE):
        before = await states_of(tx, await window_store.windows_by_id(tx, ids[start : start + _AT_ONCE]))
        after = {window_id: over(state, silence_id, now) for window_id, state in before.items()}
        await save(tx, before, after, now)


async def announce(tx: Tx, announcements: Sequence[Announcement]) -> None:
    """Have these events published once the transaction commits."""
    envelopes = [Envelope(each.id, SOURCE, each.time, each.event) for each in announcements]
    await outbox.announce(tx, tables, envelopes)


async def release(tx: Tx, holds: Sequence[LeadHold], now: datetime) -> int:
    """End these holds and let the promises of people without any other hold run on; how many promises that are."""
    if not holds:
        return 0
    await hold_store.release_holds(tx, [hold.quarantine_id for hold in holds], now)
    persons = await persons_store.persons_of(tx, {hold.lead_id for hold in holds})
    still = {persons.lead_of(hold.lead_id) for hold in await hold_store.holds_of(tx, persons.ids)}
    leads = [lead_id for lead_id in persons.ids if persons.lead_of(lead_id) not in still]
    states = await states_of(tx, await window_store.windows_of(tx, leads, states=("open", "breached")))
    held = {window_id: state for window_id, state in states.items() if state.window.hold is not None}
    free = {window_id: transitions.release(state) for window_id, state in held.items()}
    await save(tx, held, free, now)
    return len(free)


def _count(changed: Sequence[WindowState], now: datetime) -> None:
    ended = Counter((each.window.promise, _COUNTED.get(news.event.TYPE)) for each in changed for news in each.announced)
    for (promise, outcome), number in ended.items():
        if outcome == "opened":
            metrics.windows_opened.labels(promise).inc(number)
        elif outcome is not None:
            metrics.windows_ended.labels(promise, outcome).inc(number)
    for state in changed:
        if any(news.event.TYPE == WindowBreached.TYPE for news in state.announced):
            metrics.detection_seconds.observe((now - state.window.decide_at).total_seconds())
        for fired in state.fired:
            metrics.levels_fired.labels(fired.outcome).inc()
