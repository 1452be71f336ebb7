"""Relays accepted facts from the spool to the bus, in order, and writes markers that say how complete they are.

At least once per marker interval, every partition of the activities gets a marker after its data: everything that this
instance accepted before `upto` is ahead of it. Facts may be delayed, but no verdict is issued ahead of them.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache

from msgspec.structs import replace

from services.ingest.domain.pending_event import instant_at
from services.ingest.spool.file import SpoolEntry
from services.ingest.spool.resend import ResendRequest
from services.ingest.spool.writer import Spool
from shared import log, metrics
from shared.bus.envelope import ACCEPTANCE, Envelope, attributes, encode, instant, value_of
from shared.domain.errors import Unwritable
from shared.domain.events import ACTIVITIES, INQUIRIES, WatermarkAdvanced
from shared.domain.ids import event_id
from shared.ports import Bus, Clock, Message
from shared.runtime import quarantine
from shared.runtime.backoff import until_back

BATCH = 1000
MANY = 50
GATHERING_S = 0.05
BACKOFF_S = 0.5
SOURCE = "baton/ingest"
_PREFIX_BYTES = 64 * 1024


class Relay:
    """Relays one spool. Cancelling `run` loses nothing: what the bus lacks, or may lack, is sent again by the next one.

    How far the bus is, is written down with the markers only, since each note costs an fsync.
    """

    def __init__(
        self,
        spool: Spool,
        bus: Bus,
        clock: Clock,
        *,
        marker_s: float,
        requested: Callable[[], ResendRequest | None] = lambda: None,
    ) -> None:
        self._spool = spool
        self._requested = requested
        self._resent: str | None = None
        # The current resend request, and the number of the last fact sent for it.
        self._resending: tuple[ResendRequest, int] | None = None
        self._inquiries = 0
        self._bus = bus
        self._clock = clock
        self._marker_s = marker_s
        self._published = 0
        self._leaving = False
        self._left = asyncio.Event()
        self._next_marker = 0.0
        self._log = log.get("ingest")
        self._count = metrics.events_published.labels("ingest")

    async def run(self) -> None:
        """Relay until `leave` is called. While the bus is away facts wait; the same ones are sent again first."""
        while not self._left.is_set():
            await until_back(self._step, service="ingest", task="relay", longest_s=BACKOFF_S)

    async def _step(self) -> None:
        if not self._published:
            self._published = await self._spool.relayed()
            self._inquiries = await self._spool.inquiries_upto(self._published)
        if self._leaving:
            await self._sign_off()
        else:
            await self._wait_for_more(await self.relay_once())

    async def leave(self) -> None:
        """Let `run` empty the spool and sign off, so that consumers no longer wait for this instance."""
        self._leaving = True
        self._spool.committed.set()
        await self._left.wait()

    async def _wait_for_more(self, published: int) -> None:
        until_marker_s = max(self._next_marker - self._clock.monotonic(), 0)
        if not published and self._resending is None:
            await self._spool.committed.wait(until_marker_s)
        elif MANY <= published < BATCH:
            # Requests are arriving and the relay has caught up: larger, fewer batches leave more CPU time for requests.
            await asyncio.sleep(min(GATHERING_S, until_marker_s))

    async def relay_once(self) -> int:
        """Publish the oldest batch, and markers if they are due; returns how many facts the batch had."""
        published = await self._publish_oldest()
        if self._clock.monotonic() >= self._next_marker:
            await self._spool.renew_if_outdated()
            upto_us = await self._spool.watermark(relayed=self._published)
            await self._publish_markers(self._spool.instance, upto_us, "running")
            self._next_marker = self._clock.monotonic() + self._marker_s
            if not self._spool.announced:
                await self._spool.announce(here=True)
                await self._sign_off_former()
            await self._look_for_request()
        await self._resend_some()
        return published

    async def _look_for_request(self) -> None:
        asked = self._requested()
        if asked is None or self._resending is not None or asked.id == self._resent:
            return
        self._resent = await self._spool.resent()
        if asked.id != self._resent:
            self._resending = (asked, 0)
            self._log.info("resend_begins", spool=self._spool.instance, request=asked.id)

    async def _resend_some(self) -> None:
        """Publish the next retained batch of a request; new facts go out in between."""
        if self._resending is None:
            return
        asked, after = self._resending
        entries = await self._spool.published(after=after, since_us=asked.since_us, limit=BATCH)
        if entries:
            await self._publish(entries)
            self._resending = (asked, entries[-1].seq)
        else:
            await self._spool.note_resent(asked.id)
            self._resending, self._resent = None, asked.id
            self._log.info("resend_done", spool=self._spool.instance, request=asked.id)

    async def _publish_oldest(self) -> int:
        entries = await self._spool.oldest(after=self._published, limit=BATCH)
        if entries:
            await self._publish(entries)
            self._published, self._inquiries = entries[-1].seq, entries[-1].inquiries
            self._count.inc(len(entries))
        return len(entries)

    async def _publish(self, entries: Sequence[SpoolEntry]) -> None:
        """Publish facts in order. Those that the log will never accept are set aside and do not block others."""
        while entries:
            try:
                await self._bus.publish([_message(entry, self._spool.spool) for entry in entries])
            except Unwritable as unwritable:
                refused = [(entries[index], reason) for index, reason in unwritable.reasons.items()]
                await self._set_aside(refused)
                entries = [entry for index, entry in enumerate(entries) if index not in unwritable.reasons]
            else:
                return

    async def _set_aside(self, refused: Sequence[tuple[SpoolEntry, str]]) -> None:
        new = await self._spool.set_aside({entry.seq: reason for entry, reason in refused})
        metrics.messages_set_aside.labels("ingest").inc(new)
        for entry, reason in refused:
            self._log.error("fact_set_aside", spool=self._spool.instance, seq=entry.seq, id=entry.id, reason=reason)
            for message in _in_place_of(entry, reason, self._spool):
                try:
                    await self._bus.publish([message])
                except Unwritable as unwritable:
                    self._log.error("fact_not_quarantined", seq=entry.seq, id=entry.id, reason=unwritable.detail)

    async def _sign_off(self) -> None:
        await self._spool.announce(here=False)
        while await self._publish_oldest():
            continue
        await self._sign_off_former()
        upto_us = await self._spool.last_stamp(relayed=self._published)
        await self._publish_markers(self._spool.instance, upto_us, "left")
        self._left.set()

    async def _sign_off_former(self) -> None:
        former = await self._spool.former()
        for instance, upto_us in former.items():
            await self._publish_markers(instance, upto_us, "left")
        if former:
            await self._spool.forget_former()

    async def _publish_markers(self, instance: str, upto_us: int, state: str) -> None:
        upto = instant_at(upto_us)
        event = WatermarkAdvanced(
            lead_id="",
            instance=instance,
            upto=upto,
            state=state,
            inquiries=self._inquiries,
            spool=self._spool.spool,
            said_at=self._clock.now(),
        )
        count = self._bus.partitions(ACTIVITIES)
        # An instant alone would give one id to markers that say different things while the clock stands still.
        content = value_of(event).decode()
        ids = [event_id(event.TYPE, content, number) for number in range(count)]
        markers = [encode(Envelope(ids[number], SOURCE, upto, event)) for number in range(count)]
        await self._bus.publish([replace(marker, partition=number) for number, marker in enumerate(markers)])


def _message(entry: SpoolEntry, spool: str) -> Message:
    headers = attributes(event_id(entry.type, entry.id), entry.type, SOURCE, entry.key, _text(entry.accepted_at_us))
    return Message(entry.topic, entry.key, entry.value.encode(), (*headers, *_number(entry, spool)))


def _number(entry: SpoolEntry, spool: str) -> tuple[tuple[str, bytes], ...]:
    """The header that numbers an inquiry; none for one that an earlier release accepted without counting it."""
    if entry.topic != INQUIRIES or not entry.inquiries:
        return ()
    return ((ACCEPTANCE, f"{spool}/{entry.inquiries}".encode()),)


def _in_place_of(entry: SpoolEntry, reason: str, spool: Spool) -> list[Message]:
    """The quarantine event for a fact that the log will never accept: where it is stored, and its beginning."""
    message = _message(entry, spool.spool)
    about = quarantine.of_content(
        message,
        f"spool:{spool.instance}/{entry.seq}",
        "Unwritable",
        reason,
        "ingest",
        instant_at(entry.accepted_at_us),
        inquiry_id=None if entry.topic == ACTIVITIES else entry.id,
        max_body=_PREFIX_BYTES,
    )
    quarantined = encode(about)
    messages = [replace(quarantined, headers=(*quarantined.headers, *_number(entry, spool.spool)))]
    if entry.topic == ACTIVITIES:
        # It may be the follow-up that a promise waits for. An empty record puts the promises of its lead on hold.
        messages.append(replace(message, value=b""))
    return messages


@lru_cache(maxsize=64)
def _text(at_us: int) -> str:
    return instant(instant_at(at_us))
