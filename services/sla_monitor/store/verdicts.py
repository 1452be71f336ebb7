"""Pairs inquiries with their verdicts, in the transaction that reads them, in whatever order they come."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from services.sla_monitor.domain import ladder, transitions
from services.sla_monitor.domain.inquiry_verdicts import (
    Arrival,
    arrival,
    first_look,
    in_time,
    paired,
    promised,
    verdict_fact,
    verdict_in,
    window_id,
    window_on,
)
from services.sla_monitor.store import arrivals as store
from services.sla_monitor.store import windows as window_store
from services.sla_monitor.store.states import save, states_of
from shared.agreements import store as agreements
from shared.bus.envelope import Received
from shared.db.engine import Database, Tx
from shared.domain.agreement import Agreement
from shared.domain.agreement_versions import Version, version_in_force
from shared.domain.errors import Misconfigured
from shared.domain.events import ActivityRecorded, InquiryReceived, WatermarkAdvanced


class Verdicts:
    """Pairs inquiries with their verdicts, within `tolerance`. `partition_of` numbers an inquiry for the lock."""

    def __init__(self, database: Database, tolerance: timedelta, partition_of: Callable[[str], int]) -> None:
        self._database = database
        self._tolerance = tolerance
        self._partition_of = partition_of
        self._newest: tuple[int, datetime | None] | None = None
        self._versions: Sequence[Version] = ()
        self._promised = False
        self._since_at: datetime | None = None

    async def pair(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Pair what has come together; save an inquiry without its verdict, a verdict without its inquiry, and one that
        was late. A pair in time leaves nothing.
        """
        events = [each.event for each in batch if not isinstance(each.event, ActivityRecorded | WatermarkAdvanced)]
        if not events:
            return
        inquiries = {event.inquiry_id: event for event in events if isinstance(event, InquiryReceived)}
        now = await self._database.now(tx)
        verdicts: dict[str, Arrival] = {}
        for given in (verdict_in(event, now) for event in events):
            if given is not None:
                verdicts.setdefault(given.inquiry_id, given)
        if not inquiries and not verdicts:
            return
        since_at = await self.since(tx, now)
        if since_at is None:
            return
        waiting = await self._waiting(tx, [e for e in inquiries.values() if not e.test], since_at, now)
        late = await self._late(tx, waiting, verdicts, now)
        alone = {name: each for name, each in waiting.items() if name not in verdicts}
        early = {name: each for name, each in verdicts.items() if name not in inquiries}
        if alone or early or late:
            await self._meet(tx, alone, early, late, now)

    async def _meet(
        self, tx: Tx, alone: Mapping[str, Arrival], early: Mapping[str, Arrival], late: Sequence[Arrival], now: datetime
    ) -> None:
        """Pair what has come alone with what is stored."""
        names = sorted({*alone, *early, *(each.inquiry_id for each in late)})
        await store.lock_inquiries(tx, {self._partition_of(name) for name in names})
        stored = await store.arrivals_of(tx, names)
        met = {name: each for name, each in alone.items() if name in stored and stored[name].accepted_at is None}
        found = {name: each for name, each in stored.items() if name in early and each.decided_at is None}
        known = met | found
        late = [*late, *await self._late(tx, known, {**{name: stored[name] for name in met}, **early}, now)]
        await store.forget_arrivals(tx, [*known])
        new = [each for name, each in early.items() if name not in stored]
        unknown = await self._settled(tx, new, now)
        waiting = [each for name, each in alone.items() if name not in stored]
        await store.save_arrivals(tx, [*waiting, *unknown, *late])

    async def _settled(self, tx: Tx, verdicts: Sequence[Arrival], now: datetime) -> list[Arrival]:
        """Apply the verdicts on inquiries whose deadline has passed, which have a window; the others are returned."""
        ids = {window_id(each.inquiry_id): each for each in verdicts}
        before = await states_of(tx, await window_store.windows_by_id(tx, list(ids))) if ids else {}
        after = {}
        for name, state in before.items():
            given = ids[name]
            assert given.decided_at is not None  # noqa: S101 (a verdict has its instant)
            fact = verdict_fact(given.verdict_id or given.inquiry_id, given.decided_at, state.window.opened_at)
            after[name] = transitions.apply_fact(state, fact, now)
        await save(tx, before, after, now)
        return [each for name, each in ids.items() if name not in before]

    async def _waiting(
        self, tx: Tx, inquiries: Sequence[InquiryReceived], since_at: datetime, now: datetime
    ) -> dict[str, Arrival]:
        """The inquiries on which a verdict is owed."""
        found = {}
        for event in inquiries:
            agreement = await self._agreement_at(tx, min(event.accepted_at, now))
            promise = promised(agreement) if agreement is not None else None
            if agreement is None or promise is None or event.accepted_at < since_at + self._tolerance:
                continue
            each = arrival(event, agreement, now, now)
            window = window_on(each, agreement, promise, known_at=now, tolerance=self._tolerance)
            warnings = [level.due_at for level in ladder.levels(agreement, window) if level.warning]
            found[event.inquiry_id] = msgspec.structs.replace(each, look_at=first_look(window, warnings))
        return found

    async def _late(
        self, tx: Tx, waiting: Mapping[str, Arrival], verdicts: Mapping[str, Arrival], now: datetime
    ) -> list[Arrival]:
        """Those of the inquiries whose verdict came late."""
        found = []
        for name, each in waiting.items():
            if name not in verdicts or each.agreement is None:
                continue
            both = paired(each, verdicts[name], now)
            try:
                promise = promised(await agreements.by_hash(tx, each.agreement))
            except Misconfigured:  # another release reads it, and finds the promise kept or not
                promise = None
            if promise is None or not in_time(both, promise, self._tolerance):
                found.append(both)
        return found

    @property
    def begun(self) -> bool:
        """Whether verdicts are remembered for good."""
        return self._since_at is not None

    async def wanted(self, tx: Tx) -> bool:
        """Whether a version of the agreement promises verdicts."""
        await self._read_versions(tx)
        return self._promised

    async def since(self, tx: Tx, now: datetime) -> datetime | None:
        """Since when verdicts are remembered, which begins with the first version that promises them; None before."""
        await self._read_versions(tx)
        if not self._promised:
            return None
        if self._since_at is None:
            found = await store.since(tx)
            if found is None:  # not noted here, because this transaction may be rolled back
                return await store.begin(tx, now)
            self._since_at = found
        return self._since_at

    async def _read_versions(self, tx: Tx) -> None:
        newest = await agreements.newest(tx)
        if newest == self._newest:
            return
        versions = await agreements.versions(tx)
        promises = False
        for version in versions:
            try:
                promises = promises or promised(await agreements.by_hash(tx, version.hash)) is not None
            except Misconfigured:  # of a later release, which may promise it
                promises = True
        self._versions, self._promised, self._newest = versions, promises, newest

    async def _agreement_at(self, tx: Tx, at: datetime) -> Agreement | None:
        version = version_in_force(self._versions, at)
        if version is not None:
            with suppress(Misconfigured):
                return await agreements.by_hash(tx, version.hash)
        return None
