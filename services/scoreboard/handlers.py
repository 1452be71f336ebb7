"""What the scoreboard does with each topic: load what a batch is about, apply each event purely, save in bulk.

Events may come late, twice or before the fact they follow from; the rows come to the same in any order.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from services.scoreboard.domain import inquiries, leads, orphans, promises
from services.scoreboard.domain.counters import ALL, EVENTS, CounterKey, difference
from services.scoreboard.domain.inquiries import InquiryRow
from services.scoreboard.domain.leads import LeadRow
from services.scoreboard.domain.promises import EscalationRow, WindowRow
from services.scoreboard.domain.timeline_text import RANKS
from services.scoreboard.store import lists, numbers, pilots, queries, rows, waits
from services.scoreboard.store.rows import TimelineEntry
from shared.bus.envelope import Received
from shared.db.engine import Tx
from shared.domain.events import (
    ActivityRecorded,
    EscalationEvent,
    Event,
    InquiryReceived,
    LeadAssigned,
    LeadBackdated,
    LeadClosed,
    LeadDecided,
    LeadMerged,
    LeadParked,
    LeadRescheduled,
    LeadSplit,
    RecordQuarantined,
    WatermarkAdvanced,
    WindowEvent,
)

CounterDelta = Counter[tuple[str, int, str]]


async def on_inquiries(tx: Tx, batch: Sequence[Received]) -> None:
    """Count inquiries, and show who they are from. Gets each copy of an inquiry, because two ingest processes may have
    accepted it, each under its own number.
    """
    pairs = [(r, r.event) for r in batch if isinstance(r.event, InquiryReceived)]
    deltas = _events(batch)
    known = await rows.locked(tx, InquiryRow, (event.inquiry_id for _, event in pairs))
    people = await rows.locked(tx, LeadRow, (event.lead_id for _, event in pairs))
    for received, event in pairs:
        was = known[event.inquiry_id]
        known[event.inquiry_id] = now = inquiries.receive(was, event)
        _count(deltas, received, difference(was, now, inquiries.counts_for))
        lead = leads.inquire(people[event.lead_id], event)
        if now.lead_id is not None and now.lead_id != event.lead_id:
            lead = leads.join(lead, now.lead_id, now.decided_at or event.accepted_at)
        _set(people, lead, deltas, received)
    await _inherit(tx, people, deltas, batch)
    await _save(tx, batch, deltas, known, people)
    await numbers.save_read(tx, batch)


async def on_activities(tx: Tx, batch: Sequence[Received]) -> None:
    """Sales activities go to the lead's timeline and may change its stage. Watermarks carry the number of the last
    inquiry.
    """
    markers = [(r.record.partition, r.event) for r in batch if isinstance(r.event, WatermarkAdvanced)]
    await numbers.save_markers(tx, markers)
    facts = [r for r in batch if not isinstance(r.event, WatermarkAdvanced)]
    if not facts:
        return
    deltas = _events(facts)
    pairs = [(r, r.event) for r in facts if isinstance(r.event, ActivityRecorded)]
    people = await rows.locked(tx, LeadRow, (event.lead_id for _, event in pairs))
    for received, event in pairs:
        acted = leads.act(people[event.lead_id], event)
        _set(people, orphans.await_inquiry(acted, event), deltas, received)
    await _inherit(tx, people, deltas, facts)
    await _save(tx, facts, deltas, people)
    await waits.update(tx, await waits.to_update(tx, [event for _, event in pairs]))


async def on_assignments(tx: Tx, batch: Sequence[Received]) -> None:
    """The router decided: the inquiry has its outcome, the lead its state and owner. An inquiry that was judged under
    another lead's id than it came under shows that both are one person.
    """
    pairs = [(r, r.event) for r in batch if isinstance(r.event, LeadAssigned | LeadDecided | LeadSplit)]
    deltas = _events(batch)
    judged = [event.inquiry_id for _, event in pairs if not isinstance(event, LeadSplit)]
    known = await rows.locked(tx, InquiryRow, judged)
    came_under = [inquiry.lead_id for inquiry in known.values() if inquiry.lead_id is not None]
    others = [event.was_part_of for _, event in pairs if isinstance(event, LeadSplit) and event.was_part_of is not None]
    people = await rows.locked(tx, LeadRow, (*(event.lead_id for _, event in pairs), *came_under, *others))
    for received, event in pairs:
        if isinstance(event, LeadSplit):
            await _split(tx, people, event, deltas, received)
            continue
        was = known[event.inquiry_id]
        known[event.inquiry_id] = now = inquiries.decide(was, event)
        _count(deltas, received, difference(was, now, inquiries.counts_for))
        _set(people, leads.settle(people[event.lead_id], event), deltas, received)
        if was.version <= 0 and was.lead_id is not None and was.lead_id != now.lead_id:
            at = now.decided_at or received.envelope.time
            _set(people, leads.join(people[was.lead_id], event.lead_id, at), deltas, received)
    await _close(tx, people, deltas, batch)
    await _inherit(tx, people, deltas, batch)
    await _save(tx, batch, deltas, known, people)
    await waits.update(tx, {r.event.lead_id for r in batch if _moves_a_wait(r.event)})
    await pilots.save(tx, [event for _, event in pairs if isinstance(event, LeadAssigned)])
    await _reschedule(tx, [r.event for r in batch if isinstance(r.event, LeadRescheduled)])


async def _close(tx: Tx, people: dict[str, LeadRow], deltas: CounterDelta, batch: Sequence[Received]) -> None:
    pairs = [(r, r.event) for r in batch if isinstance(r.event, LeadClosed)]
    people |= await rows.locked(tx, LeadRow, {event.lead_id for _, event in pairs} - people.keys())
    for received, event in pairs:
        _set(people, leads.close(people[event.lead_id], event), deltas, received)


async def _reschedule(tx: Tx, events: Sequence[LeadRescheduled]) -> None:
    people = await rows.locked(tx, LeadRow, (event.lead_id for event in events))
    for event in events:
        people[event.lead_id] = leads.reschedule(people[event.lead_id], event)
    await rows.save(tx, list(people.values()))


async def on_escalations(tx: Tx, batch: Sequence[Received]) -> None:
    """Promises began, ended or were escalated."""
    deltas = _events(batch)
    running = [(r, r.event) for r in batch if isinstance(r.event, WindowEvent)]
    if running:
        windows = await rows.locked(tx, WindowRow, (event.window_id for _, event in running))
        for received, event in running:
            was = windows[event.window_id]
            windows[event.window_id] = now = promises.run(was, event)
            _count(deltas, received, difference(was, now, promises.counts_for))
        await rows.save(tx, list(windows.values()))
    raised = [r.event for r in batch if isinstance(r.event, EscalationEvent)]
    if raised:
        ladder = await rows.locked(tx, EscalationRow, (event.escalation_id for event in raised))
        for climbed in raised:
            ladder[climbed.escalation_id] = promises.climb(ladder[climbed.escalation_id], climbed)
        await rows.save(tx, list(ladder.values()))
    await _save(tx, batch, deltas)


async def on_quarantine(tx: Tx, batch: Sequence[Received]) -> None:
    """Quarantined records; those that were inquiries are counted."""
    deltas = _events(batch)
    await _quarantine(tx, batch, deltas)
    of_leads = [r for r in batch if isinstance(r.event, RecordQuarantined) and not r.event.origin.startswith("source:")]
    await _save(tx, of_leads, deltas)


async def on_set_aside(tx: Tx, batch: Sequence[Received]) -> None:
    """The scoreboard could not handle a record itself: if it was an inquiry, that was read all the same."""
    deltas = _events(batch)
    await _quarantine(tx, batch, deltas)
    await rows.add_counts(tx, deltas)


async def _quarantine(tx: Tx, batch: Sequence[Received], deltas: CounterDelta) -> None:
    pairs = [(r, r.event) for r in batch if isinstance(r.event, RecordQuarantined)]
    stuck = [(r, event, found) for r, event in pairs if (found := inquiries.inquiry_in(event)) is not None]
    known = await rows.locked(tx, InquiryRow, (found.inquiry_id for _, _, found in stuck))
    for received, event, found in stuck:
        was = known[found.inquiry_id]
        known[found.inquiry_id] = now = inquiries.quarantine(was, event, found)
        _count(deltas, received, difference(was, now, inquiries.counts_for))
    await rows.save(tx, list(known.values()))
    await numbers.save_read(tx, batch)


async def _split(
    tx: Tx, people: dict[str, LeadRow], event: LeadSplit, deltas: CounterDelta, received: Received
) -> None:
    """What sales recorded under an id that was split counts for it alone; the other lead is what it is without it."""
    before = people[event.lead_id]
    _set(people, leads.split(before, event), deltas, received)
    into = before.merged_into if people[event.lead_id].merged_into is None else None
    while into is not None:
        joined = await lists.joined_to(tx, into, limit=queries.MOST_IDS)
        people |= await rows.locked(tx, LeadRow, {into, *joined} - people.keys())
        lead = people[into]
        if leads.inherited(lead, before):
            lead = leads.alone(lead, await rows.activities_of(tx, into))
            for each in joined:
                lead = leads.inherit(lead, people[each]) if people[each].merged_into == into else lead
            _set(people, lead, deltas, received)
        into = lead.merged_into


async def _inherit(tx: Tx, people: dict[str, LeadRow], deltas: CounterDelta, batch: Sequence[Received]) -> None:
    """What sales recorded under an id that ended counts for the lead under which the person goes on."""
    ended = [lead for lead in people.values() if lead.sales_at is not None or lead.ended_at is not None]
    while ended := [lead for lead in ended if lead.merged_into is not None]:
        into = {str(lead.merged_into) for lead in ended}
        people |= await rows.locked(tx, LeadRow, into - people.keys())
        changed = {}
        for lead in ended:
            heir = people[str(lead.merged_into)]
            after = leads.inherit(heir, lead)
            if after != heir:
                _set(people, after, deltas, batch[-1])
                changed[after.lead_id] = after
        ended = list(changed.values())


async def _save(
    tx: Tx, batch: Iterable[Received], deltas: CounterDelta, *changed: Mapping[str, InquiryRow | LeadRow]
) -> None:
    """Write back changed rows, and add the batch to the timeline and to the counts."""
    for known in changed:
        await rows.save(tx, list(known.values()))
    await rows.add_entries(tx, _entries(batch))
    await rows.add_counts(tx, deltas)


def _moves_a_wait(event: Event) -> bool:
    return isinstance(event, LeadAssigned | LeadParked | LeadMerged | LeadBackdated | LeadSplit)


def _events(batch: Iterable[Received]) -> CounterDelta:
    return Counter((ALL, received.record.partition, EVENTS) for received in batch)


def _count(deltas: CounterDelta, received: Received, by: Counter[CounterKey]) -> None:
    for (period, name), value in by.items():
        deltas[period, received.record.partition, name] += value


def _set(people: dict[str, LeadRow], lead: LeadRow, deltas: CounterDelta, received: Received) -> None:
    lead = orphans.found(lead)
    _count(deltas, received, difference(people[lead.lead_id], lead, leads.counts_for))
    people[lead.lead_id] = lead


def _entries(batch: Iterable[Received]) -> list[TimelineEntry]:
    return [
        TimelineEntry(
            event_id=received.envelope.id,
            lead_id=received.event.lead_id,
            at=received.envelope.time,
            rank=RANKS.get(received.event.TYPE, len(RANKS)),
            type=received.event.TYPE,
            data=_data(received),
        )
        for received in batch
    ]


def _data(received: Received) -> bytes:
    """The event as JSON, without the bytes of a quarantined record: those are for operators only."""
    event = received.event
    if isinstance(event, RecordQuarantined):
        event = msgspec.structs.replace(event, body=b"")
    return msgspec.json.encode(event)
