"""Opens windows on inquiries that have no verdict in time, and settles them. A verdict is missed once everything is
read that was in the log after the deadline.

It keeps no state that matters in memory. With any number of processes, each inquiry is settled once.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NoReturn

import msgspec

from services.sla_monitor.domain import ladder, transitions
from services.sla_monitor.domain.arrangements import Arrangements
from services.sla_monitor.domain.inquiry_verdicts import NO_PARTITION, Arrival, promised, window_on
from services.sla_monitor.domain.watermark import out_of_step
from services.sla_monitor.domain.window_state import WindowState
from services.sla_monitor.store import arrivals as arrival_store
from services.sla_monitor.store import watermarks as watermark_store
from services.sla_monitor.store import windows as window_store
from services.sla_monitor.store.arrangements import arrangements_at
from services.sla_monitor.store.states import agreement_of, save, states_of
from services.sla_monitor.store.tables import tables
from services.sla_monitor.store.verdicts import Verdicts
from services.sla_monitor.workers.postponed import AGAIN_AFTER, UNSETTLED, Postponed
from shared import log
from shared.db import position
from shared.db.engine import Database, Tx
from shared.domain.events import ACTIVITIES, ASSIGNMENTS, INQUIRIES
from shared.ports import Bus, TopicPartition
from shared.runtime.backoff import until_back
from shared.runtime.wakeup import WakeUp

BATCH = 500
EVERY_S = 1.0
WAITING_S = 0.1
_NOT_COMPARED = timedelta(seconds=1)


class Inquiries:
    """Settles what is due on inquiries, and has `verdicts` begin as soon as the agreement promises any. `announced` is
    set after a commit, for the relay.
    """

    def __init__(
        self, *, database: Database, bus: Bus, verdicts: Verdicts, tolerance: timedelta, announced: WakeUp
    ) -> None:
        self._database = database
        self._bus = bus
        self._verdicts = verdicts
        self._tolerance = tolerance
        self._announced = announced
        self._ends: tuple[datetime, Mapping[TopicPartition, int]] | None = None
        self._read_upto: datetime | None = None
        self.postponed = Postponed()
        self._log = log.get("sla_monitor")

    async def run(self) -> NoReturn:
        """Look until cancelled. Outages are waited out."""
        while True:
            wait_s = await until_back(self.look, service="sla_monitor", task="inquiries")
            await asyncio.sleep(wait_s)

    async def look(self) -> float:
        """Settle what is due and surely read; in how many seconds to look again."""
        async with self._database.read() as tx:
            if not self._verdicts.begun and not await self._verdicts.wanted(tx):
                return EVERY_S
            now = await self._database.now(tx)
            first_at = await arrival_store.first_look(tx)
        if not self._verdicts.begun:
            async with self._database.begin() as tx:
                await self._verdicts.since(tx, now)
        if first_at is None or first_at > now:
            return min((first_at - now).total_seconds(), EVERY_S) if first_at is not None else EVERY_S
        await self._read(now)
        if self._read_upto is None or self._read_upto < first_at:
            return WAITING_S
        return 0.0 if await self._settle(self._read_upto) >= BATCH else WAITING_S

    async def _read(self, now: datetime) -> None:
        """Find out up to when everything is read: when the log's ends were seen that are handled by now."""
        if self._ends is None:
            topics = (INQUIRIES, ASSIGNMENTS)
            places = [(topic, number) for topic in topics for number in range(self._bus.partitions(topic))]
            spans = await self._bus.spans(places)
            self._ends = now, {place: spans[place].end for place in places}
        seen_at, ends = self._ends
        async with self._database.read() as tx:
            at = await position.reached(tx, tables, list(ends))
        if all(at.get(place, 0) >= end for place, end in ends.items()):
            self._read_upto, self._ends = seen_at, None

    async def _settle(self, read_upto: datetime) -> int:
        """Settle a batch of what is due by then; how many inquiries and windows that were."""
        async with self._database.begin() as tx:
            now = await self._database.now(tx)
            upto = min(now, read_upto)
            arranged = await arrangements_at(tx, now)
            due = await arrival_store.due_arrivals(tx, upto, limit=BATCH)
            windows = await window_store.due_windows(tx, {NO_PARTITION: upto}, limit=BATCH)
            before = await states_of(tx, windows)
            after = await self._opened(tx, due, now)
            for window_id, state in {**before, **after}.items():
                after[window_id] = await self._settled(tx, state, now, upto, arranged)
            await save(tx, before, after, now)
        if after:
            self._announced.set()
        return len(due) + len(windows)

    async def _settled(
        self, tx: Tx, state: WindowState, now: datetime, upto: datetime, arranged: Arrangements
    ) -> WindowState:
        try:
            agreement = await agreement_of(tx, state.window.agreement.hash)
            # Nobody is notified of what is over: it has its verdict, and came late.
            levels = () if state.window.counted else ladder.levels(agreement, state.window)
            return transitions.settle(state, (), levels, agreement, now=now, watermark=upto, arranged=arranged)
        except UNSETTLED as why:
            return self.postponed.later(state, why, now)

    async def _opened(self, tx: Tx, due: Sequence[Arrival], now: datetime) -> dict[str, WindowState]:
        """New windows on the inquiries that are due. A verdict whose inquiry has not come by now is of one that was
        settled before.
        """
        skews = out_of_step(await watermark_store.watermarks(tx), now, self._tolerance) if due else {}
        opened: dict[str, WindowState] = {}
        later: list[Arrival] = []
        for each in due:
            _, skew_s = skews.get(self._bus.partition_of(ACTIVITIES, each.lead_id), ("", None))
            if each.accepted_at is None or each.agreement is None:
                continue
            if skew_s:
                # When it was accepted is not known for sure, and will not be.
                self._log.warning("hand_off_not_judged", inquiry=each.inquiry_id, clock_differs_s=round(skew_s, 1))
                continue
            if skew_s is not None:
                later.append(msgspec.structs.replace(each, look_at=now + _NOT_COMPARED))
                continue
            try:
                state = await self._open(tx, each, each.agreement, now)
            except UNSETTLED:
                later.append(msgspec.structs.replace(each, look_at=now + AGAIN_AFTER))
            else:
                opened |= {state.window.window_id: state} if state is not None else {}
        await arrival_store.forget_arrivals(tx, [each.inquiry_id for each in due if each not in later])
        await arrival_store.save_arrivals(tx, later)
        return opened

    async def _open(self, tx: Tx, each: Arrival, digest: str, now: datetime) -> WindowState | None:
        agreement = await agreement_of(tx, digest)
        promise = promised(agreement)
        if promise is None:
            return None
        window = window_on(each, agreement, promise, known_at=now, tolerance=self._tolerance)
        window = ladder.planned(agreement, window)
        facts = (each.verdict,) if each.verdict is not None else ()
        return transitions.open_window(window, facts, ladder.levels(agreement, window))
