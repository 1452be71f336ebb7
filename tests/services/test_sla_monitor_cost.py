"""What the monitor asks of its database does not grow with what is stored, and next to nothing while nothing is due."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import sqlalchemy as sa

from services.sla_monitor.domain.watermark import Watermark
from services.sla_monitor.store.watermarks import save_watermarks
from services.sla_monitor.store.windows import save_windows, windows_page
from services.sla_monitor.workers.periods import Periods
from services.sla_monitor.workers.timer import FIRST_BATCH, Timer
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import ACTIVITIES
from shared.runtime.wakeup import WakeUp
from tests.kit.agreements import agreement
from tests.kit.windows import running
from tests.services.sla_monitor_kit import DEAL, now
from tests.services.test_sla_monitor_periods import DEAL as WITH_PERIODS

TOLERANCE = timedelta(seconds=2)


@contextmanager
def statements() -> Iterator[Counter[str]]:
    """How often each statement is executed."""
    found: Counter[str] = Counter()

    def on_execute(*args: object) -> None:
        if args[2] != "BEGIN":  # a statement only on SQLite
            found[str(args[2])] += 1

    sa.event.listen(sa.Engine, "before_cursor_execute", on_execute)
    yield found
    sa.event.remove(sa.Engine, "before_cursor_execute", on_execute)


async def store(database: Database, bus: EmbeddedBus, count: int, *, overdue_s: float, name: str) -> None:
    """So many promises, spread over all partitions."""
    at, windows = now(), []
    for number in range(count):
        lead_id = f"ld_{name}_{number}"
        due_at = at - TOLERANCE - timedelta(seconds=overdue_s)
        partition = bus.partition_of(ACTIVITIES, lead_id)
        windows.append(
            running(lead_id, partition=partition, owner="ann", due_at=due_at, tolerance=TOLERANCE, agreement=DEAL.ref)
        )
    partitions = range(bus.partitions(ACTIVITIES))
    async with database.begin() as tx:
        await agreements.save(tx, DEAL, at)
        await save_windows(tx, windows)
        await save_watermarks(tx, [Watermark(each, "ingest-1", at) for each in partitions])


async def settled(timer: Timer) -> Counter[str]:
    with statements() as found:
        await timer.settle_due_windows()
    return found


async def test_many_due_promises_take_the_statements_of_few_however_many_are_stored(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    timer = Timer(
        database=database,
        bus=embedded_bus,
        tolerance=TOLERANCE,
        wake=WakeUp(),
        advanced=WakeUp(),
        announced=WakeUp(),
    )
    await store(database, embedded_bus, 1, overdue_s=1, name="first")
    await timer.settle_due_windows()  # reads the agreement
    await store(database, embedded_bus, 2, overdue_s=1, name="few")
    few = await settled(timer)
    await store(database, embedded_bus, 1000, overdue_s=-3600, name="stored")
    await store(database, embedded_bus, FIRST_BATCH - 1, overdue_s=1, name="many")
    many = await settled(timer)
    async with database.read() as tx:
        breached = await windows_page(tx, filters={"state": "breached"}, now=now(), after=None, limit=2 * FIRST_BATCH)
    assert len(breached) == FIRST_BATCH + 2
    assert many.total() == few.total()


async def test_where_no_period_is_promised_a_look_at_periods_is_one_small_statement(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    periods = Periods(database=database, bus=embedded_bus, tolerance=TOLERANCE, announced=WakeUp())
    async with database.begin() as tx:
        await agreements.save(tx, agreement(), now())
    await periods.look()
    with statements() as found:
        await periods.look()
    assert found.total() == 1
    assert not periods.promised()


async def test_a_version_that_promises_a_period_is_found_without_a_restart(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    periods = Periods(database=database, bus=embedded_bus, tolerance=TOLERANCE, announced=WakeUp())
    async with database.begin() as tx:
        await agreements.save(tx, agreement(), now())
    await periods.look()
    async with database.begin() as tx:
        await agreements.save(tx, WITH_PERIODS, now())
        await agreements.activate(tx, WITH_PERIODS.hash, now())
    await periods.look()
    assert periods.promised()
    async with database.read() as tx:
        opened = await windows_page(tx, filters={}, now=now(), side="marketing", after=None, limit=10)
    assert {each.promise for each in opened} == set(WITH_PERIODS.commitments)
