"""Which inquiry numbers were read, so that a missing one shows while others keep arriving.

A spool numbers its inquiries 1, 2, 3. Numbers that were read are in `scoreboard_read_numbers` until they are checked:
up to `scoreboard_spools.checked`, every number was either read or is in `scoreboard_missing_numbers`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from services.scoreboard.domain.conservation import MISSING
from services.scoreboard.domain.counters import ALL, EVENTS
from services.scoreboard.store import queries, rows
from services.scoreboard.store.tables import markers, missing_numbers, read_numbers, spools
from shared.bus.envelope import ACCEPTANCE, Received
from shared.db.bulk import insert_into, insert_or_skip, upsert_rows
from shared.db.engine import Tx
from shared.domain.events import WatermarkAdvanced

CHECKED_AT_ONCE = 20_000
_PREFIX = "spool_"
_LARGEST = 2**63 - 1


class Marked(msgspec.Struct, frozen=True):
    """The number of the last inquiry that a spool had put on the log, by the first and by the last marker read."""

    first: int
    last: int


async def save_read(tx: Tx, batch: Sequence[Received]) -> None:
    """Note the numbers that these records have."""
    found = {number for received in batch if (number := _number(received)) is not None}
    await insert_or_skip(tx, read_numbers, [{"spool": s, "number": n} for s, n in sorted(found)])


def _number(received: Received) -> tuple[str, int] | None:
    spool, _, number = received.record.headers.get(ACCEPTANCE, b"").decode(errors="replace").rpartition("/")
    # An earlier version numbered all facts of an instance there.
    if not spool.startswith(_PREFIX) or not number.isdecimal() or len(number) > len(str(_LARGEST)):
        return None
    return (spool, int(number)) if int(number) <= _LARGEST else None


async def save_markers(tx: Tx, given: Sequence[tuple[int, WatermarkAdvanced]]) -> None:
    """Save these markers, each with its partition, for their spools."""
    last: dict[tuple[str, int], int] = {}
    for partition, marker in given:
        if marker.spool:
            last.setdefault((marker.spool, partition), marker.inquiries)
    first = dict(last)
    for partition, marker in given:
        if marker.spool:
            last[marker.spool, partition] = max(last[marker.spool, partition], marker.inquiries)
    if not last:
        return
    found = [{"spool": s, "partition": p, "first": first[s, p], "last": n} for (s, p), n in sorted(last.items())]
    insert = insert_into(tx, markers)
    later = insert.excluded.last > markers.c.last
    changed = insert.on_conflict_do_update(
        index_elements=["spool", "partition"], set_={"last": insert.excluded.last}, where=later
    )
    await tx.execute(changed, found)


async def marked(tx: Tx) -> dict[str, Marked]:
    """The saved markers, by spool."""
    query = sa.select(markers.c.spool, sa.func.min(markers.c.first), sa.func.max(markers.c.last))
    return {row[0]: Marked(row[1], row[2]) for row in await tx.execute(query.group_by(markers.c.spool))}


async def check(tx: Tx, due: Mapping[str, Marked], *, taken_at: datetime, from_here_on: bool) -> None:
    """Check all numbers up to those in `due`, which were taken at `taken_at`: by now, each must have been read if it is
    in the log. Saves missing numbers and removes those that have arrived since.

    With `from_here_on` the log no longer reaches back to earlier records, so new spools are checked only from these
    numbers on.
    """
    await _begin(tx, due, from_here_on=from_here_on)
    query = sa.select(spools).where(spools.c.spool.in_(sorted(due))).order_by(spools.c.spool).with_for_update()
    checked = {row.spool: row.checked for row in await tx.execute(query)}
    await _forget_found(tx)
    for spool, after in checked.items():
        upto = min(due[spool].last, after + CHECKED_AT_ONCE)
        if upto > after:
            await _check_spool(tx, spool, after, upto)
    unseen: int = (await tx.execute(sa.select(sa.func.count()).select_from(missing_numbers))).scalar_one()
    # A verdict shows that an inquiry is not lost, although the scoreboard never got to read it.
    await _set_missing(tx, max(unseen - await queries.decided_unread(tx, taken_at), 0) if unseen else 0)


async def _begin(tx: Tx, due: Mapping[str, Marked], *, from_here_on: bool) -> None:
    known = set((await tx.execute(sa.select(spools.c.spool))).scalars())
    new = due.keys() - known
    if not new:
        return
    lowest = {
        row[0]: row[1]
        for row in await tx.execute(
            sa.select(read_numbers.c.spool, sa.func.min(read_numbers.c.number))
            .where(read_numbers.c.spool.in_(sorted(new)))
            .group_by(read_numbers.c.spool)
        )
    }
    begins = {spool: min(due[spool].first, lowest.get(spool, _LARGEST) - 1) for spool in new}
    if from_here_on and not known:
        begins = {spool: due[spool].last for spool in new}
    await insert_or_skip(tx, spools, [{"spool": s, "checked": n} for s, n in sorted(begins.items())])


async def _forget_found(tx: Tx) -> None:
    read = sa.select(read_numbers.c.number).where(
        read_numbers.c.spool == missing_numbers.c.spool, read_numbers.c.number == missing_numbers.c.number
    )
    await tx.execute(sa.delete(missing_numbers).where(read.exists()))


async def _check_spool(tx: Tx, spool: str, after: int, upto: int) -> None:
    here = (read_numbers.c.spool == spool) & (read_numbers.c.number <= upto)
    query = sa.select(read_numbers.c.number).where(here, read_numbers.c.number > after)
    found = set((await tx.execute(query)).scalars())
    missing = [{"spool": spool, "number": number} for number in range(after + 1, upto + 1) if number not in found]
    await insert_or_skip(tx, missing_numbers, missing)
    await tx.execute(sa.delete(read_numbers).where(here))
    await upsert_rows(tx, spools, [{"spool": spool, "checked": upto}])


async def accept_missing(tx: Tx) -> int:
    """Count the missing numbers as lost; how many inquiries that are."""
    accepted = (await queries.conservation_counts(tx)).get(MISSING, 0)
    await tx.execute(sa.delete(missing_numbers))
    await _set_missing(tx, 0)
    return accepted


async def _set_missing(tx: Tx, missing: int) -> None:
    if await rows.set_count(tx, MISSING, missing):
        await rows.add_counts(tx, {(ALL, 0, EVENTS): 1})
