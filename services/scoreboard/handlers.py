"""What the scoreboard does with each topic: load what a batch is about, apply each event purely, save in bulk.

Events may come late, twice or before the fact they follow from; the rows come to the same in any order.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from services.scoreboard import store
from services.scoreboard.domain import inquiries, leads, promises
from services.scoreboard.domain.counting import ALL, EVENTS, Count, difference
from services.scoreboard.domain.summaries import RANKS
from shared.bus.envelope import Received
from shared.db.engine import Tx
from shared.domain.events import (
    ActivityRecorded,
    EscalationEvent,
    InquiryReceived,
    LeadAssigned,
    LeadDecided,
    RecordQuarantined,
    WatermarkAdvanced,
    WindowEvent,
)

Moves = Counter[tuple[str, int, str]]


async def on_inquiries(tx: Tx, batch: Sequence[Received]) -> None:
    """Inquiries arrived: count them, and show who they are from."""
    heard = [(r, r.event) for r in batch if isinstance(r.event, InquiryReceived)]
    moves = _events(batch)
    known = await store.locked_inquiries(tx, (event.inquiry_id for _, event in heard))
    people = await store.locked_leads(tx, (event.lead_id for _, event in heard))
    for received, event in heard:
        was = known[event.inquiry_id]
        known[event.inquiry_id] = now = inquiries.receive(was, event)
        _count(moves, received, difference(was, now, inquiries.counts_for))
        people[event.lead_id] = leads.inquire(people[event.lead_id], event)
    await store.save(tx, list(known.values()))
    await store.save(tx, list(people.values()))
    await store.add_entries(tx, _entries(batch))
    await store.add_counts(tx, moves)


async def on_activities(tx: Tx, batch: Sequence[Received]) -> None:
    """Sales did something: it joins the lead's story, and may move its stage. Watermarks say nothing here."""
    facts = [r for r in batch if not isinstance(r.event, WatermarkAdvanced)]
    if not facts:
        return
    heard = [r.event for r in facts if isinstance(r.event, ActivityRecorded)]
    people = await store.locked_leads(tx, (event.lead_id for event in heard))
    for event in heard:
        people[event.lead_id] = leads.act(people[event.lead_id], event)
    await store.save(tx, list(people.values()))
    await store.add_entries(tx, _entries(facts))
    await store.add_counts(tx, _events(facts))


async def on_assignments(tx: Tx, batch: Sequence[Received]) -> None:
    """The router decided: the inquiry has its outcome, the lead its state and owner."""
    heard = [(r, r.event) for r in batch if isinstance(r.event, LeadAssigned | LeadDecided)]
    moves = _events(batch)
    known = await store.locked_inquiries(tx, (event.inquiry_id for _, event in heard))
    people = await store.locked_leads(tx, (event.lead_id for _, event in heard))
    for received, event in heard:
        was = known[event.inquiry_id]
        known[event.inquiry_id] = now = inquiries.decide(was, event)
        _count(moves, received, difference(was, now, inquiries.counts_for))
        people[event.lead_id] = leads.settle(people[event.lead_id], event)
    await store.save(tx, list(known.values()))
    await store.save(tx, list(people.values()))
    await store.add_entries(tx, _entries(batch))
    await store.add_counts(tx, moves)


async def on_escalations(tx: Tx, batch: Sequence[Received]) -> None:
    """Promises began, ended or were escalated."""
    moves = _events(batch)
    running = [(r, r.event) for r in batch if isinstance(r.event, WindowEvent)]
    if running:
        windows = await store.locked_windows(tx, (event.window_id for _, event in running))
        for received, event in running:
            was = windows[event.window_id]
            windows[event.window_id] = now = promises.run(was, event)
            _count(moves, received, difference(was, now, promises.counts_for))
        await store.save(tx, list(windows.values()))
    raised = [r.event for r in batch if isinstance(r.event, EscalationEvent)]
    if raised:
        ladder = await store.locked_escalations(tx, (event.escalation_id for event in raised))
        for climbed in raised:
            ladder[climbed.escalation_id] = promises.climb(ladder[climbed.escalation_id], climbed)
        await store.save(tx, list(ladder.values()))
    await store.add_entries(tx, _entries(batch))
    await store.add_counts(tx, moves)


async def on_quarantine(tx: Tx, batch: Sequence[Received]) -> None:
    """Records were set aside: those that were inquiries count as such."""
    moves = _events(batch)
    heard = [(r, r.event) for r in batch if isinstance(r.event, RecordQuarantined)]
    stuck = [(r, event, found) for r, event in heard if (found := inquiries.inquiry_in(event)) is not None]
    known = await store.locked_inquiries(tx, (found.inquiry_id for _, _, found in stuck))
    for received, event, found in stuck:
        was = known[found.inquiry_id]
        known[found.inquiry_id] = now = inquiries.quarantine(was, event, found)
        _count(moves, received, difference(was, now, inquiries.counts_for))
    await store.save(tx, list(known.values()))
    of_leads = [r for r, event in heard if not event.origin.startswith("source:")]
    await store.add_entries(tx, _entries(of_leads))
    await store.add_counts(tx, moves)


def _events(batch: Iterable[Received]) -> Moves:
    return Counter((ALL, received.record.partition, EVENTS) for received in batch)


def _count(moves: Moves, received: Received, by: Counter[Count]) -> None:
    for (period, name), value in by.items():
        moves[period, received.record.partition, name] += value


def _entries(batch: Iterable[Received]) -> list[store.Entry]:
    return [
        store.Entry(
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
    """The event as JSON, without the bytes of a quarantined record: those belong to operators, not to readers."""
    event = received.event
    if isinstance(event, RecordQuarantined):
        event = msgspec.structs.replace(event, body=b"")
    return msgspec.json.encode(event)
