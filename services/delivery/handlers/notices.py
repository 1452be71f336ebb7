"""Makes notices of what happened to promises, and ends those whose matter is over."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from services.delivery.domain.channel_choice import channels_for
from services.delivery.domain.context import LeadContext, after
from services.delivery.domain.due_notices import (
    UNREADABLE,
    Draft,
    DueNotice,
    Ending,
    endings_of,
    fires_again,
    incident_of,
    notices_of,
)
from services.delivery.domain.notice_announcements import failed
from services.delivery.domain.notice_changes import changes
from services.delivery.domain.sending_channel import sending
from services.delivery.store import leads, notices
from services.delivery.store.announcing import announce
from services.delivery.store.notices import Grouping
from shared import log, metrics
from shared.agreements import store as agreements
from shared.bus.envelope import Received
from shared.db.engine import Tx
from shared.domain.agreement import Agreement
from shared.domain.errors import Misconfigured, NotFound
from shared.domain.events import (
    EscalationAcknowledged,
    EscalationRaised,
    LeadAssigned,
    LeadClosed,
    LeadDecided,
    LeadParked,
    LeadRejected,
    WindowOpened,
    WindowPaused,
    WindowRescheduled,
    WindowResumed,
)
from shared.domain.quiet_hours import not_before


class NoticeHandlers:
    """Handles both public topics before their events are stored for subscribers."""

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping
        self._log = log.get("delivery")

    async def on_assignments(self, tx: Tx, batch: Sequence[Received], now: datetime) -> None:
        """What is known of a lead is stored, and erased when the person has withdrawn consent."""
        every = [received.event for received in batch]
        events = [each for each in every if isinstance(each, LeadAssigned | LeadParked | LeadRejected | LeadClosed)]
        before = await leads.contexts_of(tx, {each.lead_id for each in events if isinstance(each, LeadDecided)})
        contexts: dict[str, LeadContext | None] = {}
        for event in events:
            contexts[event.lead_id] = after(contexts.get(event.lead_id, before.get(event.lead_id)), event)
        await leads.save_contexts(tx, {name: each for name, each in contexts.items() if each is not None}, now)
        await leads.erase_contexts(tx, {name for name, each in contexts.items() if each is None})

    async def on_escalations(self, tx: Tx, batch: Sequence[Received], now: datetime) -> None:
        """What is due to someone becomes notices. What is over is not sent, and those who were told are told so."""
        await leads.need_until(tx, _running_until(batch), now)
        made = [notice for r in batch for notice in notices_of(r.event, r.envelope.id)]
        endings = [ending for r in batch for ending in endings_of(r.event, r.envelope.id)]
        order = {r.envelope.id: number for number, r in enumerate(batch)}
        if made or endings:
            await notices.lock(tx)
        if made:
            await self._add(tx, made, await _rounds(tx, made, batch), now)
        if endings:
            await self._end(tx, endings, order, now)

    async def _end(self, tx: Tx, endings: Sequence[Ending], order: Mapping[str, int], now: datetime) -> None:
        windows = {ending.window_id for ending in endings}
        if not (stored := await notices.stored_about(tx, windows)):
            return
        shared = {each.notice.message_id for each in stored if each.grouped and each.notice.message_id}
        elsewhere = await notices.going_on(tx, shared, windows, now)
        changed = changes(endings, stored, elsewhere=elsewhere, order=order, now=now)
        await notices.save(tx, changed.notices.values())
        metrics.notices.labels("dropped").inc(changed.dropped)
        drafts = [await self._quiet(tx, draft, now) for draft in changed.following]
        metrics.notices.labels("due").inc(await notices.add_notices(tx, drafts, now, self._grouping))

    async def _add(self, tx: Tx, made: Sequence[DueNotice], rounds: Mapping[str, str], now: datetime) -> None:
        """Store what is due with its channels. Under an agreement without any channel, the events are all there is."""
        drafts, without = [], []
        for notice in made:
            agreement = await self._agreement(tx, notice.agreement)
            if agreement == UNREADABLE:
                without.append(msgspec.structs.replace(notice, state="failed", reason=UNREADABLE))
            if agreement is None or isinstance(agreement, str) or not agreement.channels:
                continue
            channels = tuple(map(sending, channels_for(agreement, notice.role, notice.person, page=notice.page)))
            if channels:
                incident_id = incident_of(notice, rounds.get(notice.notice_id))
                drafts.append(_quiet(Draft(notice, channels, incident_id), agreement, now))
            else:
                reason = f"the agreement has no channel for {notice.role}"
                without.append(msgspec.structs.replace(notice, state="failed", reason=reason))
        metrics.notices.labels("due").inc(await notices.add_notices(tx, drafts, now, self._grouping))
        metrics.notices.labels("failed").inc(len(without))
        await notices.add_failed(tx, without, now)
        await announce(tx, [failed(each, 0, None, 0, each.reason or "", None, now) for each in without])

    async def _quiet(self, tx: Tx, draft: Draft, now: datetime) -> Draft:
        agreement = await self._agreement(tx, draft.notice.agreement)
        return _quiet(draft, agreement, now) if isinstance(agreement, Agreement) else draft

    async def _agreement(self, tx: Tx, digest: str) -> Agreement | str | None:
        """The agreement under which the promise runs, or why it can't be read; None if it is not stored. The event is
        for subscribers in any case.
        """
        try:
            return await agreements.by_hash(tx, digest)
        except (NotFound, Misconfigured) as unknown:
            self._log.error("notices_without_agreement", agreement=digest, reason=unknown.detail)
            return UNREADABLE if isinstance(unknown, Misconfigured) else None


def _running_until(batch: Sequence[Received]) -> Mapping[str, datetime]:
    """Until when promises run that the batch says something about, by their lead."""
    events = [received.event for received in batch]
    running = WindowOpened | WindowRescheduled | WindowPaused | WindowResumed
    return {event.lead_id: event.due_at for event in events if isinstance(event, running)}


async def _rounds(tx: Tx, made: Sequence[DueNotice], batch: Sequence[Received]) -> Mapping[str, str]:
    """The event that began the incident of each notice, by the notice's id; without those for which it is the first."""
    latest = await notices.rounds(tx, {notice.window_id for notice in made})
    found = {}
    for received in batch:
        event = received.event
        if isinstance(event, EscalationAcknowledged) or (isinstance(event, EscalationRaised) and fires_again(event)):
            latest[event.window_id] = received.envelope.id
        for notice in notices_of(received.event, received.envelope.id):
            if notice.window_id in latest:
                found[notice.notice_id] = latest[notice.window_id]
    return found


def _quiet(draft: Draft, agreement: Agreement, now: datetime) -> Draft:
    """The notice with the end of the quiet hours of the person or role, if it is due in these. What ends an incident
    at a pager wakes no one: it is due at once, or the pager goes on.
    """
    if draft.alone:
        return draft
    notice = draft.notice
    ends_at = not_before(agreement, notice.role, notice.person, now, page=notice.page)
    return msgspec.structs.replace(draft, not_before=ends_at) if ends_at > now else draft
