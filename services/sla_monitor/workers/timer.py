"""Settles due windows: decides by the database's clock, and writes the verdict with its events in one transaction.

It keeps no state in memory. With any number of processes, each window is settled once: rows are claimed under a lock
and judged from what is stored.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from services.sla_monitor.domain import ladder, transitions
from services.sla_monitor.domain.arrangements import Arrangements
from services.sla_monitor.domain.lag import STALLED_S
from services.sla_monitor.domain.watermark import Watermark, out_of_step, watermarks
from services.sla_monitor.domain.window import Fact
from services.sla_monitor.domain.window_state import WindowState
from services.sla_monitor.store import facts as fact_store
from services.sla_monitor.store import watermarks as watermark_store
from services.sla_monitor.store import windows as window_store
from services.sla_monitor.store.arrangements import arrangements_at
from services.sla_monitor.store.persons import persons_of
from services.sla_monitor.store.states import agreement_of, save, states_of
from services.sla_monitor.workers.postponed import UNSETTLED, Postponed
from shared import log, metrics
from shared.db.engine import Database
from shared.domain.agreement import Agreement
from shared.domain.events import ACTIVITIES
from shared.ports import Bus
from shared.runtime.backoff import until_back
from shared.runtime.wakeup import WakeUp

BATCH = 500
FIRST_BATCH = 100
"""Of many that fall due together, these are announced while the others are settled."""
RECENT = timedelta(seconds=10)
LONGEST_WAIT_S = 1.0
BLOCKED_WAIT_S = 0.25


class Timer:
    """Settles the windows of all partitions. `wake` is set after every commit that may change a window, `advanced`
    after every commit of the consumer, and `announced` by this timer after its own, for the relay. Verdicts wait while
    the clock of an ingest instance and the database's differ by more than `tolerance`.
    """

    def __init__(
        self,
        database: Database,
        bus: Bus,
        *,
        tolerance: timedelta,
        wake: WakeUp,
        advanced: WakeUp,
        announced: WakeUp,
    ) -> None:
        self._database = database
        self._bus = bus
        self._partitions = bus.partitions(ACTIVITIES)
        self._wake = wake
        self._advanced = advanced
        self._announced = announced
        self._tolerance = tolerance
        self.postponed = Postponed()
        self._blocked = False
        self._limit = FIRST_BATCH
        self._stall: str | None = None
        self._skew: str | None = None
        self._log = log.get("sla_monitor")

    async def run(self) -> None:
        """Settle until cancelled; an outage of the database is waited out."""
        while True:
            wait_s = await until_back(self.settle_due_windows, service="sla_monitor", task="timer")
            await (self._advanced if self._blocked else self._wake).wait(wait_s)

    async def settle_due_windows(self) -> float:
        """Settle a batch of what is due now; in how many seconds to look again."""
        async with self._database.read() as tx:
            now = await self._database.now(tx)
            marks = await watermark_store.watermarks(tx)
            looks = await window_store.first_looks(tx, self._partitions)
        self._watch_for_stalls(watermarks(marks), waiting=bool(looks), now=now)
        self._watch_clocks(out_of_step(marks, now, self._tolerance))
        complete_upto = self._complete_upto(marks, now)
        due = [each for each, at in looks.items() if each in complete_upto and at <= min(now, complete_upto[each])]
        full, settled = await self._settle(due, limit=self._limit) if due else (False, 0)
        self._limit = min(2 * self._limit, BATCH) if full else FIRST_BATCH
        metrics.looked_at.set(now.timestamp())
        ahead_s = (min(looks.values()) - now).total_seconds() if looks else LONGEST_WAIT_S
        # What is due waits for a watermark. As long as nothing is, no watermark changes anything.
        self._blocked = ahead_s <= 0 and not settled
        if settled:
            return 0.0
        return BLOCKED_WAIT_S if self._blocked else min(ahead_s, LONGEST_WAIT_S)

    async def _settle(self, partitions: Collection[int], *, limit: int) -> tuple[bool, int]:
        """Settle a batch of what is due in these partitions, longest due first; whether there were as many as the
        limit, and how many windows are settled.

        Behind a backlog, what has just fallen due is settled too: a monitor that comes back late to many promises is
        not late with those of today. Windows that wait for another partition hold up those of their own at most.
        """
        found, settled = await self._settle_batch(partitions, limit=limit)
        if found == limit:
            settled += (await self._settle_batch(partitions, limit=limit, within=RECENT))[1]
            if 2 * settled < found and len(partitions) > 1:
                settled += sum([(await self._settle([each], limit=limit))[1] for each in partitions])
        return found == limit, settled

    async def _settle_batch(
        self, partitions: Collection[int], *, limit: int, within: timedelta | None = None
    ) -> tuple[int, int]:
        """Take the windows that are longest due, or of those that fell due `within` this time; how many there were, and
        how many of them are settled.
        """
        async with self._database.begin() as tx:
            now = await self._database.now(tx)
            # Read before the facts: facts that stood before this watermark in the log are stored by now.
            complete_upto = self._complete_upto(await watermark_store.watermarks(tx), now)
            upto = {each: min(now, complete_upto[each]) for each in partitions if each in complete_upto}
            if not upto:
                return 0, 0
            arranged = await arrangements_at(tx, now)
            windows = await window_store.due_windows(tx, upto, within=within, limit=limit)
            states = await states_of(tx, windows)
            persons = await persons_of(tx, {window.lead_id for window in windows})
            facts = await fact_store.facts_of(tx, persons.ids)
            settled = {}
            for window_id, state in states.items():
                lead_id = state.window.lead_id
                mine = persons.facts_for(lead_id, facts)
                ids = persons.ids_of([lead_id])
                # Of nearly all, the one id is that of the window.
                watermark = (
                    complete_upto.get(state.window.partition) if len(ids) == 1 else self._earliest(complete_upto, ids)
                )
                try:
                    agreement = await agreement_of(tx, state.window.agreement.hash)
                    settled[window_id] = _settled(state, mine, agreement, now, watermark, arranged)
                except UNSETTLED as why:
                    settled[window_id] = self.postponed.later(state, why, now)
            await save(tx, states, settled, now)
        changed = sum(settled[window_id] != states[window_id] for window_id in states)
        if changed:
            self._announced.set()
        return len(states), changed

    def _earliest(self, complete_upto: Mapping[int, datetime], ids: Sequence[str]) -> datetime | None:
        """Up to when facts are complete in the partitions of all of a person's ids: a follow-up may come in any."""
        partitions = {self._bus.partition_of(ACTIVITIES, lead_id) for lead_id in ids}
        return min(complete_upto[each] for each in partitions) if partitions <= complete_upto.keys() else None

    def _complete_upto(self, marks: Sequence[Watermark], now: datetime) -> Mapping[int, datetime]:
        """Up to when facts are complete, for each partition on which verdicts can be given."""
        held = out_of_step(marks, now, self._tolerance)
        return {partition: at for partition, at in watermarks(marks).items() if partition not in held}

    def note(self) -> str | None:
        """Why no verdicts are given although deadlines have passed; None when they are."""
        return self._skew or self._stall

    def _watch_clocks(self, held: Mapping[int, tuple[str, float]]) -> None:
        instance, skew_s = max(held.values(), key=lambda each: abs(each[1]), default=("", 0.0))
        metrics.ingest_ahead_seconds.set(skew_s)
        if not skew_s:
            self._skew = None
            return
        if self._skew is None:
            self._log.warning("verdicts_held", instance=instance, ahead_s=round(skew_s, 1))
        direction = "ahead of" if skew_s > 0 else "behind"
        self._skew = (
            f"verdicts on promises are held: ingest {instance} dates what it accepts {abs(skew_s):.1f} s {direction} "
            "the database's clock. Set the one that is wrong right; verdicts follow by themselves"
        )

    def _watch_for_stalls(self, complete_upto: Mapping[int, datetime], *, waiting: bool, now: datetime) -> None:
        complete = len(complete_upto) == self._partitions
        lag = now - min(complete_upto.values()) if complete else None
        metrics.watermark_lag_seconds.set(lag.total_seconds() if lag is not None else float("inf"))
        stalled = waiting and (lag is None or lag > timedelta(seconds=STALLED_S))
        metrics.watermark_stalled.set(stalled)
        if not stalled:
            self._stall = None
            return
        behind_s = round(lag.total_seconds()) if lag is not None else None
        if self._stall is None:
            self._log.warning("watermark_stalled", behind_s=behind_s)
        upto = f"only until {behind_s} s ago" if behind_s is not None else "up to no known instant"
        self._stall = (
            f"verdicts on promises wait: activities are complete {upto}. Check that every ingest runs and reaches the "
            "log; give up on one whose disk is gone with './baton declare-lost'"
        )


def _settled(
    state: WindowState,
    facts: Sequence[Fact],
    agreement: Agreement,
    now: datetime,
    watermark: datetime | None,
    arranged: Arrangements,
) -> WindowState:
    levels = ladder.levels(agreement, state.window)
    return transitions.settle(state, facts, levels, agreement, now=now, watermark=watermark, arranged=arranged)
