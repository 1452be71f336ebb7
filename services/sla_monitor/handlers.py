"""Handles batches of events: load, decide, save and publish in one transaction.

Facts are stored even if no window waits for them, because an assignment may arrive after the call that answers it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec

from services.sla_monitor.domain import disputes, opening, transitions
from services.sla_monitor.domain.hand_offs import DECISIONS
from services.sla_monitor.domain.lead_context import LeadContext, by_lead
from services.sla_monitor.domain.opening import REOPENED, RESCORED, Watch
from services.sla_monitor.domain.persons import Persons
from services.sla_monitor.domain.skew import Probes
from services.sla_monitor.domain.watermark import compared, newest, watermark_of
from services.sla_monitor.domain.window import INQUIRY, Fact, Window, starting
from services.sla_monitor.domain.window_state import WindowState
from services.sla_monitor.store import facts as fact_store
from services.sla_monitor.store import holds as hold_store
from services.sla_monitor.store import persons as persons_store
from services.sla_monitor.store import watermarks as watermark_store
from services.sla_monitor.store import windows as window_store
from services.sla_monitor.store.counting import count_assignments, count_decisions
from services.sla_monitor.store.holds import LeadHold
from services.sla_monitor.store.states import agreement_of, release, save, states_of
from shared import metrics
from shared.bus.envelope import Received
from shared.db.engine import Database, Tx
from shared.domain.events import (
    ACTIVITIES,
    ActivityRecorded,
    Event,
    LeadAssigned,
    LeadBackdated,
    LeadClosed,
    LeadMerged,
    LeadParked,
    LeadRejected,
    LeadRescheduled,
    LeadSplit,
    RecordQuarantined,
    WatermarkAdvanced,
)
from shared.domain.pauses import PAUSING
from shared.domain.promises import WindowStatus
from shared.ports import Bus, Record


class MonitorHandlers:
    """Facts count until `tolerance` after the deadline. `counts` says whether any promise is about a period."""

    def __init__(
        self, database: Database, bus: Bus, tolerance: timedelta, probes: Probes, *, counts: Callable[[], bool]
    ) -> None:
        self._database = database
        self._bus = bus
        self._tolerance = tolerance
        self._probes = probes
        self._counts = counts

    async def on_assignments(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Open the windows of new owners and of queues in which leads wait, and end those that no longer apply.

        Raises `Unavailable` if an agreement is not stored in this database yet: the router stores it before it
        publishes a decision under it.
        """
        events = [r.event for r in batch if _concerns_promises(r.event)]
        if not events:
            return
        inquiries = [each for event in events for each in _late_inquiry(event)]
        merges = await persons_store.save_merges_in(tx, events)
        persons = await persons_store.lock_persons(tx, {event.lead_id for event in events}, self._partition)
        await fact_store.save_facts(tx, inquiries)
        states = await states_of(tx, await window_store.windows_of(tx, persons.ids))
        before, context = dict(states), await self._context(tx, persons, states)
        if self._counts():
            await count_assignments(tx, events, context, tolerance=self._tolerance)
        for event in events:
            await self._follow(tx, event, context)
        for merge in merges:
            context.join(merge.lead_id)
            if not merge.was_lead:
                await self._open_disputes(tx, persons.lead_of(merge.lead_id), context)
        await self._open_following(tx, context)
        await save(tx, before, context.states, context.now)

    async def _follow(self, tx: Tx, event: Event, context: LeadContext) -> None:
        if isinstance(event, LeadAssigned):
            await self._assign(tx, event, context)
        elif isinstance(event, LeadParked):
            await self._park(tx, event, context)
        elif isinstance(event, LeadRejected) and event.stays is None:
            context.end(event.lead_id, event.decided_at, "rejected")
        elif isinstance(event, LeadClosed):
            context.withdraw(event)
        elif isinstance(event, LeadRescheduled):
            await self._reschedule(tx, event, context)
        elif isinstance(event, LeadMerged | LeadBackdated):
            await self._move_start(tx, event, context)
        elif isinstance(event, LeadSplit):
            context.part(event.lead_id)

    async def on_inquiries(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Nothing: what is owed on an inquiry shows with the verdicts that came with it (`Verdicts.pair`)."""

    async def on_activities(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Save and apply the facts, then advance the watermarks after them."""
        activities = [r for r in batch if isinstance(r.event, ActivityRecorded)]
        if activities:
            await self._apply(tx, activities)
        markers = [(r.record, r.event) for r in batch if isinstance(r.event, WatermarkAdvanced)]
        if markers:
            await self._advance(tx, markers)

    async def on_set_aside(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Put the promises of a lead on hold if an activity could not be read: it may be the follow-up.

        Runs in the transaction that moves past the record, so that no later watermark counts before the hold.
        """
        holds = [hold for hold in map(_hold, batch) if hold is not None]
        if not holds:
            return
        now = await self._database.now(tx)
        leads = {hold.lead_id for hold in holds}
        persons = await persons_store.lock_persons(tx, leads, self._partition)
        await hold_store.save_holds(tx, holds, now)
        metrics.leads_held.inc(len(leads))
        reasons = {persons.lead_of(hold.lead_id): hold.reason for hold in holds}
        windows = await window_store.windows_of(tx, persons.ids, states=("open", "breached"))
        running = [window for window in windows if window.look_at is not None]
        held = [msgspec.structs.replace(each, hold=reasons[persons.lead_of(each.lead_id)]) for each in running]
        await window_store.save_windows(tx, held)

    async def _apply(self, tx: Tx, activities: Sequence[Received]) -> None:
        now = await self._database.now(tx)
        facts = [self._fact(r.record, r.event, now) for r in activities if isinstance(r.event, ActivityRecorded)]
        persons = await persons_store.lock_persons(tx, {lead_id for lead_id, _ in facts}, self._partition)
        await fact_store.save_facts(tx, facts)
        pausing = any(fact.kind in PAUSING for _, fact in facts)
        # Those of later owners say when a lead moved, also once they have ended.
        wanted: Sequence[WindowStatus] = () if pausing else ("open", "breached")
        states = await states_of(tx, await window_store.windows_of(tx, persons.ids, states=wanted))
        before = dict(states)
        if pausing:
            context = await self._context(tx, persons, states)
            await self._pause(tx, [state.window for state in states.values()], context)
        windows = by_lead(states)
        for reported_under, fact in facts:
            for lead_id in persons.ids_of([reported_under]):
                if persons.counts(lead_id, reported_under, fact):
                    for window_id in windows[lead_id]:
                        states[window_id] = transitions.apply_fact(states[window_id], fact, now)
        await save(tx, before, states, now)
        decided = {lead_id for lead_id, fact in facts if fact.kind in DECISIONS}
        if decided and self._counts():
            await count_decisions(tx, decided, persons, tolerance=self._tolerance, now=now)
        replayed = {_digest(r.record.value) for r in activities}
        holds = await hold_store.holds_of(tx, persons.ids)
        await release(tx, [hold for hold in holds if hold.digest in replayed], now)
        disputed = {persons.lead_of(lead_id) for lead_id, fact in facts if fact.kind == opening.DISPUTED}
        followed = {state.window.lead_id for state in states.values() if opening.following(state.window)}
        if disputed or followed:
            states = await states_of(tx, await window_store.windows_of(tx, persons.ids_of(disputed | followed)))
            before, context = dict(states), await self._context(tx, persons, states)
            for lead_id in disputed:
                await self._open_disputes(tx, lead_id, context)
            await self._open_following(tx, context)
            await save(tx, before, context.states, context.now)

    def _fact(self, record: Record, event: ActivityRecorded, now: datetime) -> tuple[str, Fact]:
        # What is on the log was accepted before; a later instant comes from a clock that is ahead.
        latest_at = self._probes.written_before(record.partition, record.offset, now) + self._tolerance
        reason = event.reason if event.kind == opening.REJECTED else None
        how = (event.outcome, event.by, reason, event.happened_at)
        return event.lead_id, Fact(event.key, event.kind, min(event.accepted_at, latest_at), *how)

    async def _advance(self, tx: Tx, markers: Sequence[tuple[Record, WatermarkAdvanced]]) -> None:
        now = await self._database.now(tx)
        known = {(each.partition, each.instance): each for each in await watermark_store.watermarks(tx)}
        latest = dict(known)
        for record, event in markers:
            key = (record.partition, event.instance)
            mark = compared(watermark_of(record, event), event.said_at, latest.get(key), self._probes, now)
            latest.update(newest([latest.get(key, mark), mark]))
        changed = [each for key, each in sorted(latest.items()) if known.get(key) != each]
        await watermark_store.save_watermarks(tx, changed)

    async def _context(self, tx: Tx, persons: Persons, states: dict[str, WindowState]) -> LeadContext:
        facts = await fact_store.facts_of(tx, persons.ids)
        holds = {persons.lead_of(hold.lead_id): hold.reason for hold in await hold_store.holds_of(tx, persons.ids)}
        return LeadContext(states, persons, facts, holds, await self._database.now(tx))

    async def _assign(self, tx: Tx, event: LeadAssigned, context: LeadContext) -> None:
        if any(window.owner_number >= event.generation for window in context.windows(event.lead_id)):
            return
        spared = (opening.TRIAGE, opening.DISPUTES)
        agreement = await agreement_of(tx, event.agreement.hash)
        facts = context.facts_for(event.lead_id)
        opened = opening.opened(event, agreement, self._watch(event.lead_id, context), facts)
        if event.because == RESCORED and event.previous_rep == event.rep.id:
            opened = context.renew(event.lead_id, event.generation, opened)
        elif event.because != REOPENED:
            # What a reopened lead's owners owed before has ended with its rejection, whether that is read yet or not.
            at, missed = event.assigned_at, event.because == opening.MISSED
            context.move_on(event.lead_id, at, "reassigned", cycle=event.cycle, spared=spared, missed=missed)
        context.apply_assignment(event)
        for window in opened:
            moved = starting(window, facts)
            context.open(moved if moved is window else opening.paused(moved, facts, agreement), agreement)
        await self._open_disputes(tx, event.lead_id, context)

    async def _reschedule(self, tx: Tx, event: LeadRescheduled, context: LeadContext) -> None:
        for window in context.windows(event.lead_id):
            if opening.waits_for(window, event):
                context.reschedule(event, window, await agreement_of(tx, window.agreement.hash))

    async def _park(self, tx: Tx, event: LeadParked, context: LeadContext) -> None:
        agreement = await agreement_of(tx, event.agreement.hash)
        earlier = context.windows(event.lead_id)
        window = opening.parked(event, agreement, self._watch(event.lead_id, context), earlier)
        if window is not None and window.window_id in context.states:
            return
        theirs = [each for each in opening.of_wait(event, earlier) if window is not None and each.owner == window.owner]
        if any(each.runs for each in theirs):
            return
        why, spared = f"parked in {event.queue}", (opening.DISPUTES,)
        context.move_on(event.lead_id, event.decided_at, why, cycle=event.cycle, spared=spared)
        if window is not None and not any(each.state == "breached" for each in theirs):
            context.open(starting(window, context.facts_for(event.lead_id)), agreement)

    async def _open_disputes(self, tx: Tx, lead_id: str, context: LeadContext) -> None:
        """A dispute may arrive before the assignment of the rep who rejected, so both check for it."""
        facts, ids = context.facts_for(lead_id), context.persons.ids_of([lead_id])
        for fact in disputes.unanswered(facts, ids, context.states):
            holder = disputes.disputed(context.windows_of_person(lead_id), fact)
            if holder is None:
                continue
            agreement = await agreement_of(tx, holder.agreement.hash)
            if disputes.disputed_late(fact, facts, agreement, self._tolerance):
                continue
            window = disputes.dispute(holder, fact, agreement, self._watch(holder.lead_id, context))
            if window is not None:
                context.open(window, agreement)

    async def _move_start(self, tx: Tx, event: LeadMerged | LeadBackdated, context: LeadContext) -> None:
        for lead_id, _ in _late_inquiry(event):
            context.move_start(lead_id)
        # What was reported under the other id, or before the cycle was known to begin, may pause what runs.
        await self._pause(tx, context.windows_of_person(event.lead_id), context)
        if isinstance(event, LeadMerged) and event.into is not None:
            context.end(event.lead_id, event.decided_at, f"it is lead {event.into} now")

    async def _pause(self, tx: Tx, windows: Sequence[Window], context: LeadContext) -> None:
        paused = {each.lead_id for each in windows if any(f.kind in PAUSING for f in context.facts_for(each.lead_id))}
        for window in windows:
            if window.lead_id in paused:
                context.pause(window, await agreement_of(tx, window.agreement.hash))

    async def _open_following(self, tx: Tx, context: LeadContext) -> None:
        for window in context.following():
            context.open(window, await agreement_of(tx, window.agreement.hash))

    def _watch(self, lead_id: str, context: LeadContext) -> Watch:
        return Watch(self._partition(lead_id), context.now, self._tolerance, context.hold_on(lead_id))

    def _partition(self, lead_id: str) -> int:
        return self._bus.partition_of(ACTIVITIES, lead_id)


def _hold(received: Received) -> LeadHold | None:
    event = received.event
    if not isinstance(event, RecordQuarantined) or not event.lead_id or not event.origin.startswith(f"{ACTIVITIES}/"):
        return None
    reason = f"the record {event.origin} could not be read ({event.code})"
    return LeadHold(event.quarantine_id, event.lead_id, _digest(received.record.value), reason)


def _digest(body: bytes) -> str:
    return sha256(body).hexdigest()


def _concerns_promises(event: Event) -> bool:
    if isinstance(event, LeadMerged):
        return event.into is not None or event.received_at is not None
    return isinstance(
        event, LeadAssigned | LeadParked | LeadRejected | LeadClosed | LeadBackdated | LeadRescheduled | LeadSplit
    )


def _late_inquiry(event: Event) -> list[tuple[str, Fact]]:
    """The inquiry, if it turned out to be the first of its lead, with the lead that starts with it."""
    if not isinstance(event, LeadMerged | LeadBackdated) or event.received_at is None:
        return []
    lead_id = event.into or event.lead_id if isinstance(event, LeadMerged) else event.lead_id
    return [(lead_id, Fact(event.inquiry_id, INQUIRY, event.received_at))]
