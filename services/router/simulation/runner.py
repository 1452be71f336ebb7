"""Runs a simulation: reads the record once from its beginning and feeds every replay.

Replays need the whole past, because turns, loads and owners depend on it. Only leads with an inquiry between `since`
and `until` are compared.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from services.router.simulation.history import History
from services.router.simulation.record_reader import PAGE, RecordRow, agreements_named, last_seq, transactions
from services.router.simulation.replay import Replay
from services.router.simulation.replay_state import ReplayState
from services.router.simulation.storage import DiskDict, OwnerIndex, PersonIndex, ReplayedLead
from services.router.simulation.summary import NOTHING, LeadDifference, LeadOutcome, Summary
from shared.agreements import store as agreements
from shared.db.engine import Database
from shared.domain.agreement import Agreement
from shared.domain.events import InquiryReceived

Each = Callable[[LeadDifference], None]
"""Receives every lead that differs, by id."""

Progress = Callable[[int, int], None]
"""Receives the progress: entries so far, and all entries."""


class Plan(msgspec.Struct, frozen=True):
    """What to simulate. `draft` is in force from `since`, or from the beginning; None replays the versions that were in
    force. It is compared with the record, or with a replay of `against`.

    `tolerance` is the monitor's.
    """

    draft: Agreement | None
    against: Agreement | None
    since: datetime | None
    until: datetime
    tolerance: timedelta = timedelta(seconds=2)


class _Replays:
    """The recorded past and the replays of one plan, with their storage."""

    def __init__(self, plan: Plan, folder: Path, stack: ExitStack) -> None:
        self._plan = plan
        self._folder = folder
        self._stack = stack
        self.persons = stack.enter_context(closing(PersonIndex(folder / "persons.db")))
        inquiries = DiskDict(folder / "inquiries.db", msgspec.msgpack.Decoder(InquiryReceived))
        self.inquiries = stack.enter_context(closing(inquiries))
        self.recorded = History(self._state("recorded"))
        self.after = self._simulated("after", plan.draft)
        self.before = self._simulated("before", plan.against) if plan.against is not None else None

    def _state(self, name: str) -> ReplayState:
        leads = self._stack.enter_context(
            closing(DiskDict(self._folder / f"{name}.db", msgspec.msgpack.Decoder(ReplayedLead)))
        )
        return ReplayState(leads, self._plan.tolerance)

    def _simulated(self, name: str, draft: Agreement | None) -> Replay:
        plan = self._plan
        owners = None
        if draft is None or plan.since is not None or draft.needs_accounts:
            owners = self._stack.enter_context(closing(OwnerIndex(self._folder / f"{name}-owners.db")))
        state = self._state(name)
        return Replay(state, self.recorded, owners, self.inquiries, draft=draft, since=plan.since)

    @property
    def simulated(self) -> list[Replay]:
        """The replays."""
        return [self.after] if self.before is None else [self.before, self.after]

    def replay(self, rows: Sequence[RecordRow], known: dict[str, Agreement]) -> int:
        """Apply what was recorded at one instant to the past and every replay; returns the number of inquiries."""
        candidates: set[str] = set()
        judged = 0
        for row in rows:
            inquiry = row.verdict.inquiry if row.verdict is not None and row.verdict.ask is None else None
            if inquiry is not None:
                candidates |= self.persons.leads_of(inquiry)
                self.inquiries.put(inquiry.inquiry_id, inquiry)
                judged += 1
        for each in self.simulated:
            each.pass_time(rows[0].at)
        self.recorded.learn_rules(rows, known)
        for each in self.simulated:
            each.replay(rows, sorted(candidates))
        self.recorded.follow(rows)
        return judged

    def compare(self, summary: Summary, each: Each) -> None:
        """Look at every lead on both sides."""
        until, since = self._plan.until, self._plan.since
        one = self.recorded if self.before is None else self.before.state
        state = self.recorded.state if self.before is None else self.before.state
        for before, after in _side_by_side(state.leads, self.after.state.leads):
            there = after or before
            asked = [replayed.asked_at for replayed in (before, after) if replayed and replayed.asked_at]
            if there is None or (since is not None and max(asked, default=since) < since):
                continue
            outcomes: tuple[LeadOutcome, LeadOutcome] = (
                one.outcome(before, until) if before is not None else NOTHING,
                self.after.state.outcome(after, until) if after is not None else NOTHING,
            )
            found = summary.compare(there.lead, *outcomes)
            if found is not None:
                each(found)


async def simulate(
    database: Database, plan: Plan, *, each: Each = lambda _: None, progress: Progress = lambda *_: None
) -> Summary:
    """Carry out a plan on the record in `database`, in memory that does not grow with it; the disk holds the rest."""
    before = _named(plan.against) if plan.against is not None else "as recorded"
    after = _named(plan.draft) if plan.draft is not None else "the versions that were in force"
    summary = Summary(before, after, plan.since, plan.until)
    total, verdict = await last_seq(database), 0
    known: dict[str, Agreement] = {}
    with TemporaryDirectory(prefix="baton-simulation-") as folder, ExitStack() as stack:
        replays = _Replays(plan, Path(folder), stack)
        async for rows in transactions(database, plan.until):
            for digest in agreements_named(rows) - known.keys():
                async with database.read() as tx:
                    known[digest] = await agreements.by_hash(tx, digest)
            summary.replayed += replays.replay(rows, known)
            if rows[-1].seq - verdict >= PAGE:
                verdict = rows[-1].seq
                progress(verdict, total)
        for replay in replays.simulated:
            replay.pass_time(plan.until)
        replays.compare(summary, each)
        summary.refused = replays.after.refused
    progress(total, total)
    return summary


def _named(agreement: Agreement) -> str:
    return f"{agreement.name} version {agreement.version}"


def _side_by_side(
    before: DiskDict[ReplayedLead], after: DiskDict[ReplayedLead]
) -> Iterator[tuple[ReplayedLead | None, ReplayedLead | None]]:
    """Both sides of every lead, by id."""
    one = ((lead_id, "before", replayed) for lead_id, replayed in before.items())
    other = ((lead_id, "after", replayed) for lead_id, replayed in after.items())
    for _, same in groupby(merge(one, other, key=itemgetter(0)), key=itemgetter(0)):
        sides = {side: replayed for _, side, replayed in same}
        yield sides.get("before"), sides.get("after")
