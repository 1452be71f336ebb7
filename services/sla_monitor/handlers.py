"""What the monitor does with what it hears, a batch at a time: load, decide, save and announce in one transaction.

Facts are kept whether or not a window waits for them, because an assignment may come after the call that answers it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec

from services.sla_monitor import store
from services.sla_monitor.domain import opening, settlement
from services.sla_monitor.domain.escalation import escalation_id
from services.sla_monitor.domain.known import Known, by_lead
from services.sla_monitor.domain.opening import Watch
from services.sla_monitor.domain.settlement import Case
from services.sla_monitor.domain.watermark import Mark, mark, newest
from services.sla_monitor.domain.window import INQUIRY, Fact, Window, starting
from services.sla_monitor.store import Hold
from shared import metrics
from shared.bus.envelope import Received
from shared.db import agreements, outbox
from shared.db.engine import Database, Tx
from shared.domain.agreement import Agreement
from shared.domain.errors import NotFound, Unavailable
from shared.domain.events import (
    ACTIVITIES,
    ActivityRecorded,
    BreachRetracted,
    Event,
    LeadAssigned,
    LeadMerged,
    LeadParked,
    LeadRejected,
    RecordQuarantined,
    WatermarkAdvanced,
    WindowBreached,
    WindowCancelled,
    WindowMet,
    WindowOpened,
)
from shared.ports import Bus

_COUNTED = {
    WindowOpened.TYPE: "opened",
    WindowMet.TYPE: "met",
    WindowBreached.TYPE: "breached",
    WindowCancelled.TYPE: "cancelled",
    BreachRetracted.TYPE: "retracted",
}


class Handlers:
    """The monitor's handlers. Facts count until `tolerance` after the deadline."""

    def __init__(self, database: Database, bus: Bus, tolerance: timedelta) -> None:
        self._database = database
        self._bus = bus
        self._tolerance = tolerance

    async def on_assignments(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Open the windows of new owners, of queues in which leads wait, and end those that no longer apply.

        Raises `Unavailable` when an agreement is not kept in this database yet: the router keeps it before it
        announces a decision made under it.
        """
        events = [r.event for r in batch if _concerns_promises(r.event)]
        if not events:
            return
        inquiries = [each for event in events if isinstance(event, LeadMerged) for each in _late_inquiry(event)]
        leads = list(dict.fromkeys([*(event.lead_id for event in events), *(lead_id for lead_id, _ in inquiries)]))
        await store.lock_leads(tx, map(self._partition, leads))
        await store.save_facts(tx, inquiries)
        cases = await cases_of(tx, await store.windows_of(tx, leads))
        before, known = dict(cases), await self._known(tx, leads, cases)
        for event in events:
            if isinstance(event, LeadAssigned):
                await self._assign(tx, event, known)
            elif isinstance(event, LeadParked):
                await self._park(tx, event, known)
            elif isinstance(event, LeadRejected):
                known.end(event.lead_id, event.decided_at, "rejected")
            elif isinstance(event, LeadMerged):
                _merge(event, known)
        await save(tx, before, known.cases, known.now)

    async def on_activities(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Keep the facts and let them take effect; then move the watermarks that stood behind them."""
        activities = [r for r in batch if isinstance(r.event, ActivityRecorded)]
        if activities:
            await self._hear(tx, activities)
        said = [mark(r.record.partition, r.event) for r in batch if isinstance(r.event, WatermarkAdvanced)]
        if said:
            await _advance(tx, said)

    async def on_set_aside(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Hold the promises of a lead with an activity that this service could not read: it may be the follow-up.

        Runs in the transaction that moves past the record, so that no watermark behind it counts before the hold.
        """
        holds = [hold for hold in map(_hold, batch) if hold is not None]
        if not holds:
            return
        now = await self._database.now(tx)
        leads = list({hold.lead_id for hold in holds})
        await store.lock_leads(tx, map(self._partition, leads))
        await store.save_holds(tx, holds, now)
        metrics.leads_held.inc(len(leads))
        reasons = {hold.lead_id: hold.reason for hold in holds}
        windows = await store.windows_of(tx, leads, states=("open", "breached"))
        running = [window for window in windows if window.look_at is not None]
        await store.save_windows(tx, [msgspec.structs.replace(w, hold=reasons[w.lead_id]) for w in running])

    async def _hear(self, tx: Tx, activities: Sequence[Received]) -> None:
        now = await self._database.now(tx)
        latest_at = now + self._tolerance
        facts = [_fact(r.event, latest_at) for r in activities if isinstance(r.event, ActivityRecorded)]
        leads = list(dict.fromkeys(lead_id for lead_id, _ in facts))
        await store.lock_leads(tx, map(self._partition, leads))
        await store.save_facts(tx, facts)
        cases = await cases_of(tx, await store.windows_of(tx, leads, states=("open", "breached")))
        before, mine = dict(cases), by_lead(cases)
        for lead_id, fact in facts:
            for window_id in mine[lead_id]:
                cases[window_id] = settlement.hear(cases[window_id], fact, now)
        await save(tx, before, cases, now)
        replayed = {_digest(r.record.value) for r in activities}
        holds = await store.holds_of(tx, leads)
        await release(tx, [hold for hold in holds if hold.digest in replayed], now)
        disputed = list(dict.fromkeys(lead_id for lead_id, fact in facts if fact.kind == opening.DISPUTED))
        if disputed:
            cases = await cases_of(tx, await store.windows_of(tx, disputed))
            before, known = dict(cases), await self._known(tx, disputed, cases)
            for lead_id in disputed:
                await self._open_disputes(tx, lead_id, known)
            await save(tx, before, known.cases, known.now)

    async def _known(self, tx: Tx, leads: Sequence[str], cases: dict[str, Case]) -> Known:
        facts = await store.facts_of(tx, leads)
        holds = {hold.lead_id: hold.reason for hold in await store.holds_of(tx, leads)}
        return Known(cases, facts, holds, await self._database.now(tx))

    async def _assign(self, tx: Tx, event: LeadAssigned, known: Known) -> None:
        if any(window.generation >= event.generation for window in known.windows(event.lead_id)):
            return
        known.end(event.lead_id, event.assigned_at, "reassigned", spared=(opening.TRIAGE, opening.DISPUTES))
        known.hear_assignment(event)
        agreement = await agreement_of(tx, event.agreement.hash)
        facts = known.facts.get(event.lead_id, ()) if event.cycle == 1 else ()
        for window in opening.opened(event, agreement, self._watch(event.lead_id, known)):
            known.open(starting(window, facts), agreement)
        await self._open_disputes(tx, event.lead_id, known)

    async def _park(self, tx: Tx, event: LeadParked, known: Known) -> None:
        agreement = await agreement_of(tx, event.agreement.hash)
        window = opening.parked(event, agreement, self._watch(event.lead_id, known))
        if window is not None and window.window_id in known.cases:
            return
        known.end(event.lead_id, event.decided_at, f"parked in {event.queue}", spared=(opening.DISPUTES,))
        if window is not None:
            known.open(window, agreement)

    async def _open_disputes(self, tx: Tx, lead_id: str, known: Known) -> None:
        """A dispute may come before the assignment that tells whose rejection it is about, so both look for it."""
        for fact in known.facts.get(lead_id, ()):
            holder = opening.disputed(known.windows(lead_id), fact) if fact.kind == opening.DISPUTED else None
            if holder is None:
                continue
            agreement = await agreement_of(tx, holder.agreement.hash)
            window = opening.dispute(holder, fact, agreement, self._watch(lead_id, known))
            if window is not None and window.window_id not in known.cases:
                known.open(window, agreement)

    def _watch(self, lead_id: str, known: Known) -> Watch:
        return known.watch(lead_id, self._partition(lead_id), self._tolerance)

    def _partition(self, lead_id: str) -> int:
        return self._bus.partition_of(ACTIVITIES, lead_id)


async def agreement_of(tx: Tx, digest: str) -> Agreement:
    """The agreement with this hash. Raises `Unavailable` while nobody has kept it."""
    try:
        return await agreements.by_hash(tx, digest)
    except NotFound as missing:
        raise Unavailable(missing.detail) from missing


async def cases_of(tx: Tx, windows: Sequence[Window]) -> dict[str, Case]:
    """The windows with their escalations, by the id of the window."""
    breached = [escalation_id(window.window_id) for window in windows if window.breach_id is not None]
    escalations = await store.escalations_of(tx, breached) if breached else {}
    return {window.window_id: Case(window, escalations.get(window.window_id)) for window in windows}


async def save(tx: Tx, before: Mapping[str, Case], cases: Mapping[str, Case], now: datetime) -> None:
    """Keep all cases that are not as `before`, and announce what they say."""
    changed = [case for window_id, case in cases.items() if case is not before.get(window_id)]
    if not changed:
        return
    await store.save_windows(tx, [case.window for case in changed])
    await store.save_escalations(tx, [case.escalation for case in changed if case.escalation is not None])
    await store.save_fired(tx, [fired for case in changed for fired in case.fired])
    await outbox.announce(tx, store.tables, [envelope for case in changed for envelope in case.announced])
    for case in changed:
        _count(case, now)


async def release(tx: Tx, holds: Sequence[Hold], now: datetime) -> int:
    """End these holds and let the promises of leads without any other hold run on; how many promises that are."""
    if not holds:
        return 0
    await store.release_holds(tx, [hold.quarantine_id for hold in holds], now)
    leads = {hold.lead_id for hold in holds}
    leads -= {hold.lead_id for hold in await store.holds_of(tx, list(leads))}
    cases = await cases_of(tx, await store.windows_of(tx, list(leads), states=("open", "breached")))
    held = {window_id: case for window_id, case in cases.items() if case.window.hold is not None}
    free = {window_id: settlement.release(case) for window_id, case in held.items()}
    await save(tx, held, free, now)
    return len(free)


async def _advance(tx: Tx, said: Sequence[Mark]) -> None:
    known = {(each.partition, each.instance): each for each in await store.marks(tx)}
    latest = newest([*known.values(), *said])
    await store.save_marks(tx, [each for key, each in sorted(latest.items()) if known.get(key) != each])


def _fact(event: ActivityRecorded, latest_at: datetime) -> tuple[str, Fact]:
    # What we hear of was accepted before; a later instant comes from a clock that is ahead.
    return event.lead_id, Fact(event.key, event.kind, min(event.accepted_at, latest_at))


def _hold(received: Received) -> Hold | None:
    event = received.event
    if not isinstance(event, RecordQuarantined) or not event.lead_id or not event.origin.startswith(f"{ACTIVITIES}/"):
        return None
    reason = f"the record {event.origin} could not be read ({event.code})"
    return Hold(event.quarantine_id, event.lead_id, _digest(received.record.value), reason)


def _digest(body: bytes) -> str:
    return sha256(body).hexdigest()


def _concerns_promises(event: Event) -> bool:
    if isinstance(event, LeadMerged):
        return event.into is not None or event.received_at is not None
    return isinstance(event, LeadAssigned | LeadParked | LeadRejected)


def _late_inquiry(event: LeadMerged) -> list[tuple[str, Fact]]:
    """The inquiry, if it turned out to be the first of its lead, with the lead as which that goes on."""
    if event.received_at is None:
        return []
    return [(event.into or event.lead_id, Fact(event.inquiry_id, INQUIRY, event.received_at))]


def _merge(event: LeadMerged, known: Known) -> None:
    if event.into is not None:
        known.end(event.lead_id, event.decided_at, f"it is lead {event.into} now")
    for lead_id, _ in _late_inquiry(event):
        known.move_start(lead_id)


def _count(case: Case, now: datetime) -> None:
    window = case.window
    for envelope in case.announced:
        outcome = _COUNTED.get(envelope.type)
        if outcome == "opened":
            metrics.windows_opened.labels(window.promise).inc()
        elif outcome is not None:
            metrics.windows_ended.labels(window.promise, outcome).inc()
        if outcome == "breached":
            metrics.detection_seconds.observe((now - window.decide_at).total_seconds())
    for fired in case.fired:
        metrics.levels_fired.labels(fired.outcome).inc()
