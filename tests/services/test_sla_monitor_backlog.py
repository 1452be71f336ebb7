"""A monitor that comes back to more overdue promises than it settles at once."""

from collections.abc import Iterable
from datetime import timedelta

from services.sla_monitor.domain.watermark import Watermark
from services.sla_monitor.domain.window import Window
from services.sla_monitor.store.watermarks import save_watermarks
from services.sla_monitor.store.windows import save_windows, windows_page
from services.sla_monitor.workers.timer import BATCH, FIRST_BATCH, Timer
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import ACTIVITIES
from shared.runtime.wakeup import WakeUp
from tests.kit.windows import running
from tests.services.sla_monitor_kit import QUICK, now

TOLERANCE = timedelta(seconds=2)


async def overdue(database: Database, bus: EmbeddedBus, seconds: Iterable[float]) -> Timer:
    """A timer for promises of one partition that have been overdue for so long."""
    at, leads = now(), (f"ld_{number}" for number in range(100_000))
    first = (lead for lead in leads if bus.partition_of(ACTIVITIES, lead) == 0)
    windows = [
        running(
            next(first),
            partition=0,
            owner="ann",
            due_at=at - TOLERANCE - timedelta(seconds=overdue_s),
            tolerance=TOLERANCE,
            agreement=QUICK.ref,
        )
        for overdue_s in seconds
    ]
    async with database.begin() as tx:
        await agreements.save(tx, QUICK, at)
        await save_windows(tx, windows)
        await save_watermarks(tx, [Watermark(0, "ingest-1", at)])
    return Timer(database=database, bus=bus, tolerance=TOLERANCE, wake=WakeUp(), advanced=WakeUp(), announced=WakeUp())


async def breached(database: Database) -> list[Window]:
    async with database.read() as tx:
        return await windows_page(tx, filters={"state": "breached"}, now=now(), after=None, limit=10_000)


async def test_what_has_just_fallen_due_does_not_wait_for_a_backlog(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    old = [60.0 + number for number in range(2 * FIRST_BATCH)]
    timer = await overdue(database, embedded_bus, [1.0, *old, 2.0])
    await timer.settle_due_windows()
    settled = await breached(database)
    assert len(settled) == FIRST_BATCH + 2
    overdue_s = [(settled[-1].due_at - window.due_at).total_seconds() for window in settled]
    assert overdue_s == [*(each - 1.0 for each in reversed(old[FIRST_BATCH:])), 1.0, 0.0]


async def test_a_backlog_is_settled_to_its_end_longest_overdue_first_and_in_growing_batches(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    timer = await overdue(database, embedded_bus, [60.0 + number for number in range(2 * BATCH)])
    sizes = []
    while await timer.settle_due_windows() == 0.0:
        sizes.append(len(await breached(database)))
    assert sizes[:4] == [FIRST_BATCH, 3 * FIRST_BATCH, 7 * FIRST_BATCH, 2 * BATCH]
