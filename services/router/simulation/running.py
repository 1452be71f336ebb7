"""Runs a simulation: reads the record once, from its beginning, and leads every replay along it.

Replays need the whole past, since turns, loads and owners come from it; what is compared are the leads that asked
between `since` and `until`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from services.router.domain.accounts import asks_for_accounts
from services.router.domain.simulation import NOTHING, Difference, Outcome, Summary
from services.router.simulation.book import Book
from services.router.simulation.keeping import Kept, Owners, Persons, Standing
from services.router.simulation.past import PAGE, Row, agreements_named, last_seq, sittings
from services.router.simulation.recorded import Recorded
from services.router.simulation.simulated import Simulated
from shared.db import agreements
from shared.db.engine import Database
from shared.domain.agreement import Agreement
from shared.domain.events import InquiryReceived

Each = Callable[[Difference], None]
"""Hears of every lead that differs, in the order of their ids."""

Progress = Callable[[int, int], None]
"""Hears how much of the record is replayed: entries so far, and all."""


class Plan(msgspec.Struct, frozen=True):
    """What to simulate. `draft` takes effect at `since`, or has been in force all the time; None replays the versions
    that were. It is compared with what is recorded, or with a replay of `against` in the same way.

    `tolerance` is the monitor's: for so long after a deadline a follow-up counts.
    """

    draft: Agreement | None
    against: Agreement | None
    since: datetime | None
    until: datetime
    tolerance: timedelta = timedelta(seconds=2)


class _Replays:
    """The past and the replays of one plan, with all that they keep."""

    def __init__(self, plan: Plan, folder: Path, stack: ExitStack) -> None:
        self._plan = plan
        self._folder = folder
        self._stack = stack
        self.persons = stack.enter_context(closing(Persons(folder / "persons.db")))
        kept = Kept(folder / "inquiries.db", msgspec.msgpack.Decoder(InquiryReceived))
        self.inquiries = stack.enter_context(closing(kept))
        self.recorded = Recorded(self._book("recorded"))
        self.after = self._simulated("after", plan.draft)
        self.before = self._simulated("before", plan.against) if plan.against is not None else None

    def _book(self, name: str) -> Book:
        leads = self._stack.enter_context(closing(Kept(self._folder / f"{name}.db", msgspec.msgpack.Decoder(Standing))))
        return Book(leads, self._plan.tolerance)

    def _simulated(self, name: str, draft: Agreement | None) -> Simulated:
        plan = self._plan
        owners = None
        if draft is None or plan.since is not None or asks_for_accounts(draft):
            owners = self._stack.enter_context(closing(Owners(self._folder / f"{name}-owners.db")))
        return Simulated(
            self._book(name),
            self.recorded,
            owners,
            self.inquiries,
            draft=draft,
            since=plan.since,
            tolerance=plan.tolerance,
        )

    @property
    def simulated(self) -> list[Simulated]:
        """The replays."""
        return [self.after] if self.before is None else [self.before, self.after]

    def replay(self, rows: Sequence[Row], known: dict[str, Agreement]) -> int:
        """What was recorded at one instant, in the past and in every replay; how many inquiries it was."""
        candidates: set[str] = set()
        judged = 0
        for row in rows:
            inquiry = row.told.inquiry if row.told is not None and row.told.ask is None else None
            if inquiry is not None:
                candidates |= self.persons.leads_of(inquiry)
                self.inquiries.put(inquiry.inquiry_id, inquiry)
                judged += 1
        for each in self.simulated:
            each.pass_time(rows[0].at)
        self.recorded.under(rows, known)
        for each in self.simulated:
            each.replay(rows, sorted(candidates))
        self.recorded.follow(rows)
        return judged

    def compare(self, summary: Summary, each: Each) -> None:
        """Look at every lead on both sides."""
        until, since = self._plan.until, self._plan.since
        one = self.recorded if self.before is None else self.before.book
        book = self.recorded.book if self.before is None else self.before.book
        for before, after in _side_by_side(book.leads, self.after.book.leads):
            there = after or before
            asked = [standing.asked_at for standing in (before, after) if standing and standing.asked_at]
            if there is None or (since is not None and max(asked, default=since) < since):
                continue
            said: tuple[Outcome, Outcome] = (
                one.outcome(before, until) if before is not None else NOTHING,
                self.after.book.outcome(after, until) if after is not None else NOTHING,
            )
            found = summary.compare(there.lead, *said)
            if found is not None:
                each(found)


async def simulate(
    database: Database, plan: Plan, *, each: Each = lambda _: None, progress: Progress = lambda *_: None
) -> Summary:
    """Carry out a plan on the record in `database`, in memory that does not grow with it; the disk holds the rest."""
    before = _named(plan.against) if plan.against is not None else "as recorded"
    after = _named(plan.draft) if plan.draft is not None else "the versions that were in force"
    summary = Summary(before, after, plan.since, plan.until)
    total, told = await last_seq(database), 0
    known: dict[str, Agreement] = {}
    with TemporaryDirectory(prefix="baton-simulation-") as folder, ExitStack() as stack:
        replays = _Replays(plan, Path(folder), stack)
        async for rows in sittings(database, plan.until):
            for digest in agreements_named(rows) - known.keys():
                async with database.read() as tx:
                    known[digest] = await agreements.by_hash(tx, digest)
            summary.replayed += replays.replay(rows, known)
            if rows[-1].seq - told >= PAGE:
                told = rows[-1].seq
                progress(told, total)
        for replay in replays.simulated:
            replay.pass_time(plan.until)
        replays.compare(summary, each)
        summary.refused = replays.after.router.refused
    progress(total, total)
    return summary


def _named(agreement: Agreement) -> str:
    return f"{agreement.name} version {agreement.version}"


def _side_by_side(before: Kept[Standing], after: Kept[Standing]) -> Iterator[tuple[Standing | None, Standing | None]]:
    """Both sides of every lead, by id."""
    one, other = before.every(), after.every()
    left, right = next(one, None), next(other, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] < right[0]):
            assert left is not None  # noqa: S101 (the loop's condition)
            yield left[1], None
            left = next(one, None)
        elif left is None or right[0] < left[0]:
            yield None, right[1]
            right = next(other, None)
        else:
            yield left[1], right[1]
            left, right = next(one, None), next(other, None)
