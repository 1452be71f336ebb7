"""Opens the windows of periods and settles them. A period is judged once everything from before its end is read: the
activities by the watermarks of all partitions, the assignments by what was in the log after it.

With any number of processes, each window is opened and settled once.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn

from services.sla_monitor.domain import announcements, ladder, transitions
from services.sla_monitor.domain.period_windows import due_windows, looked_at, period_verdict
from services.sla_monitor.domain.watermark import out_of_step, watermarks
from services.sla_monitor.domain.window import Window
from services.sla_monitor.domain.window_state import WindowState
from services.sla_monitor.store import hand_offs as hand_off_store
from services.sla_monitor.store import periods as period_store
from services.sla_monitor.store import watermarks as watermark_store
from services.sla_monitor.store.arrangements import arrangements_at
from services.sla_monitor.store.states import agreement_of, save, states_of
from services.sla_monitor.store.tables import tables
from services.sla_monitor.workers.postponed import UNSETTLED, Postponed
from shared.agreements import store as agreements
from shared.db import position
from shared.db.engine import Database, Tx
from shared.domain.agreement import Agreement
from shared.domain.agreement_versions import Schedule, Version, version_in_force
from shared.domain.errors import Misconfigured
from shared.domain.events import ACTIVITIES, ASSIGNMENTS
from shared.ports import Bus, TopicPartition
from shared.runtime.backoff import until_back
from shared.runtime.wakeup import WakeUp

EVERY_S = 1.0
PROGRESS_S = 60.0
"""Seconds between two looks at what counts in running periods."""
VERSIONS = 20


class Periods:
    """Opens and settles the windows of periods. `announced` is set after a commit, for the relay."""

    def __init__(self, *, database: Database, bus: Bus, tolerance: timedelta, announced: WakeUp) -> None:
        self._database = database
        self._bus = bus
        self._tolerance = tolerance
        self._announced = announced
        self.postponed = Postponed()
        self._counted_at: datetime | None = None
        self._ends: tuple[datetime, Mapping[TopicPartition, int]] | None = None
        self._read_upto: datetime | None = None
        self._newest: tuple[int, datetime | None] | None = None
        self._promised = True
        self._watched = True

    def promised(self) -> bool:
        """Whether a version of the agreement promises anything about periods; true as long as that is not known."""
        return self._promised

    async def run(self) -> NoReturn:
        """Look every second until cancelled. Outages are waited out."""
        while True:
            await until_back(self.look, service="sla_monitor", task="periods")
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Open the periods that have begun, then warn, judge and escalate what is due."""
        if not await self._concerns_us():
            return
        await self._read_assignments()
        if await self._open():
            self._announced.set()
        async with self._database.read() as tx:
            now = await self._database.now(tx)
            progress = self._counted_at is None or now >= self._counted_at + timedelta(seconds=PROGRESS_S)
            windows = await period_store.to_look_at(tx, now, running=progress)
        for window_id in windows:
            await self._settle(window_id)
        if progress:
            self._counted_at = now
        if windows:
            self._announced.set()

    async def _concerns_us(self) -> bool:
        """Whether periods are promised, or have been. Found out again when a version of the agreement is stored."""
        async with self._database.read() as tx:
            newest = await agreements.newest(tx)
            if newest != self._newest:
                stored = await agreements.versions(tx)
                found = [await _read(tx, stored, name) for name in {each.name for each in stored}]
                self._promised = any(unreadable or any(a.commitments for _, a in read) for read, unreadable in found)
                self._watched = bool(await period_store.latest(tx))
                self._newest = newest
        return self._promised or self._watched

    async def _read_assignments(self) -> None:
        """Find out up to when all assignments are read: when the log's ends were seen that are handled by now."""
        places = [(ASSIGNMENTS, number) for number in range(self._bus.partitions(ASSIGNMENTS))]
        async with self._database.read() as tx:
            now = await self._database.now(tx)
            at = await position.reached(tx, tables, places)
        if self._ends is not None:
            seen_at, ends = self._ends
            if any(at.get(place, 0) < end for place, end in ends.items()):
                return
            self._read_upto = seen_at
        spans = await self._bus.spans(places)
        self._ends = now, {place: spans[place].end for place in places}

    async def _open(self) -> bool:
        async with self._database.read() as tx:
            if not await self._begun(tx, await self._database.now(tx)):
                return False
        async with self._database.begin() as tx:
            await period_store.lock_opening(tx)
            now = await self._database.now(tx)
            opened: dict[str, WindowState] = {}
            for begun in await self._begun(tx, now):
                agreement = await agreement_of(tx, begun.agreement.hash)
                window = ladder.planned(agreement, begun)
                opened[window.window_id] = transitions.open_window(window, (), ladder.levels(agreement, window))
            await save(tx, {}, opened, now)
        return bool(opened)

    async def _begun(self, tx: Tx, now: datetime) -> list[Window]:
        """The windows of periods that have begun and have none yet."""
        stored = await agreements.versions(tx)
        current = version_in_force(stored, now)
        versions, _ = await _read(tx, stored, current.name) if current is not None else ([], False)
        return list(due_windows(Schedule(versions), await period_store.latest(tx), now, self._tolerance))

    async def _settle(self, window_id: str) -> None:
        async with self._database.begin() as tx:
            now = await self._database.now(tx)
            # Read before the figures: what stood before this watermark in the log is counted by now.
            watermark = await self._known_upto(tx, now)
            arranged = await arrangements_at(tx, now)
            window = await period_store.claim(tx, window_id)
            if window is None or window.period is None:
                return
            before = await states_of(tx, [window])
            try:
                agreement = await agreement_of(tx, window.agreement.hash)
                commitment = agreement.commitments[window.promise]
                figures = await hand_off_store.figures_of(tx, commitment, window.period)
                state = _progressed(before[window_id], looked_at(window, commitment, agreement, figures, now), now)
                judged = period_verdict(window, commitment, figures, now=now, watermark=watermark)
                levels = ladder.levels(agreement, window)
                state = transitions.settle(
                    state, (), levels, agreement, now=now, watermark=watermark, judged=judged, arranged=arranged
                )
            except UNSETTLED as why:
                state = self.postponed.later(before[window_id], why, now)
            await save(tx, before, {window_id: state}, now)

    async def _known_upto(self, tx: Tx, now: datetime) -> datetime | None:
        """Up to when everything is read that counts."""
        marks = await watermark_store.watermarks(tx)
        complete_upto = watermarks(marks)
        everywhere = len(complete_upto) == self._bus.partitions(ACTIVITIES)
        if not everywhere or self._read_upto is None or out_of_step(marks, now, self._tolerance):
            return None
        return min(self._read_upto, *complete_upto.values())


def _progressed(state: WindowState, seen: Window, now: datetime) -> WindowState:
    """The window as looked at, with its progress announced if other leads count in a period that runs."""
    before, after = state.window.progress, seen.progress
    known = (before.counted, before.of) if before is not None else (0, 0)
    runs = seen.state == "open" and now < seen.due_at
    if after is None or not runs or (after.counted, after.of) == known:
        return replace(state, window=seen)
    return replace(state, window=seen, announced=(announcements.progressed(seen, now),))


async def _read(tx: Tx, stored: Sequence[Version], name: str) -> tuple[list[tuple[datetime, Agreement]], bool]:
    """The latest versions of an agreement, by when they take effect, without any that cannot be read; and whether there
    are such.
    """
    found: list[tuple[datetime, Agreement]] = []
    latest = sorted((each for each in stored if each.name == name), key=lambda each: each.order)[-VERSIONS:]
    for version in latest:
        with suppress(Misconfigured):
            found.append((version.effective_from, await agreements.by_hash(tx, version.hash)))
    return found, len(found) < len(latest)
