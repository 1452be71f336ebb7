"""Fixtures for all tests: a database of either kind, the embedded log, a clock that tests move."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import hypothesis
import pytest

from shared import log
from shared.bus.embedded import EmbeddedBus
from shared.bus.topics import read_topics
from shared.clock import SystemClock
from shared.db.engine import Database
from tests.kit.clocks import ManualClock
from tests.kit.tables import make_tables

# Or each of the hundred processes that tests start compiles all of our modules again, for a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
pytest_plugins = ["tests.kit.groups", "tests.kit.servers"]
log.configure(level="ERROR")
hypothesis.settings.register_profile("baton", deadline=None, print_blob=True)  # a busy machine is not a failure
hypothesis.settings.load_profile("baton")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In continuous integration nothing may be skipped: what is not tried is not known to work."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def manual_clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty, migrated database of either kind."""
    url = f"sqlite+aiosqlite:///{tmp_path}/baton.db"
    if request.param == "postgres":
        url = request.getfixturevalue("database_with_tables")
    database = Database(url, SystemClock())
    if database.is_sqlite:
        await make_tables(database)
    yield database
    await database.close()


@pytest.fixture
async def embedded_bus(tmp_path: Path) -> AsyncIterator[EmbeddedBus]:
    """The embedded log, empty."""
    bus = EmbeddedBus(tmp_path / "log.db", read_topics(), SystemClock())
    await bus.start()
    yield bus
    await bus.close()
