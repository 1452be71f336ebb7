"""A year of a company: whatever happens in it, each promise ends as the facts say.

It is the same year each time. By hand, `YEAR_SEED` makes another one, and `YEAR_LEADS_PER_DAY=10` a longer one.
"""

import logging
import os
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.scoreboard.workers.auditor import Auditor
from services.sla_monitor.domain.period_windows import NO_PARTITION
from services.sla_monitor.store.tables import windows
from shared.bus.embedded import EmbeddedBus
from shared.bus.topics import read_topics
from shared.db.engine import Database
from tests.kit.clocks import ManualClock
from tests.kit.sqlite import statements_run_at_once
from tests.kit.tables import make_tables
from tests.services.year_kit import Acme

BEGAN, LAST = date(2027, 1, 1), date(2027, 12, 31)
NEW_YEAR = datetime(2026, 12, 31, 23, 0, 1, tzinfo=UTC)
IN_MEMORY = "/dev/shm"  # noqa: S108


@pytest.fixture
async def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Acme, Database]]:
    """The company before its year, with its database in memory where the machine has that."""
    seed = int(os.environ.get("YEAR_SEED", "7"))
    logging.getLogger("year").warning("YEAR_SEED=%d gives the same year again", seed)
    per_day, clock = float(os.environ.get("YEAR_LEADS_PER_DAY", "0.3")), ManualClock(NEW_YEAR)
    statements_run_at_once(monkeypatch)
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else tmp_path) as folder:
        database = Database(f"sqlite+aiosqlite:///{folder}/baton.db", clock)
        bus = EmbeddedBus(Path(folder) / "log.db", read_topics(), clock)
        await make_tables(database)
        await bus.start()
        yield Acme(database, bus, clock, seed=seed, per_day=per_day), database
        await bus.close()
        await database.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_after_a_year_of_a_company_the_auditor_finds_no_difference(acme: tuple[Acme, Database]) -> None:
    company, database = acme
    year = await company.live(BEGAN, LAST)
    report = await Auditor(database, look_again_s=0).audit(datetime(2026, 12, 1, tzinfo=UTC), None)
    assert (report.differences, report.late, report.different) == ([], 0, 0)
    assert report.not_checked == {}
    # Enough happened for the silence of the auditor to mean something.
    kinds = ("WindowMet", "WindowBreached", "WindowWarned", "EscalationRaised", "EscalationExhausted", "LeadReassigned")
    assert min(year.events[kind] for kind in kinds) > 20, year
    rarer = ("BreachRetracted", "WindowPaused", "WindowResumed", "LeadRescheduled", "LeadParked", "LeadRejected")
    assert min(year.events[kind] for kind in rarer) > 0, year
    assert report.right > 3 * year.leads * 0.8
    # The new version promises leads by the week: from the first week that begins after the month in which it came.
    async with database.read() as tx:
        of_volume = (windows.c.partition == NO_PARTITION) & (windows.c.promise == "volume")
        query = sa.select(windows.c.lead_id).where(of_volume).order_by(windows.c.due_at)
        periods = [each.removeprefix("period:volume:") for each in (await tx.execute(query)).scalars()]
    assert periods[:9] == [*(f"2027-0{month}" for month in range(1, 8)), "2027-W31", "2027-W32"]
