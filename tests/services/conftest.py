"""Fixtures of tests that live through a past."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.clock import SystemClock
from shared.db import schema
from shared.db.engine import Database
from tests.kit.sqlite import statements_run_at_once
from tests.services.simulation_kit import SPRING, MovedClock


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock(SPRING)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An SQLite file after all migrations, to be copied: they take longer than many a test."""
    file = tmp_path_factory.mktemp("migrated") / "baton.db"

    async def migrate() -> None:
        database = Database(f"sqlite+aiosqlite:///{file}", SystemClock())
        await schema.migrate(database)
        await database.close()

    with ThreadPoolExecutor() as threads:  # this one may have an event loop running
        threads.submit(asyncio.run, migrate()).result()
    return file.read_bytes()


@pytest.fixture
async def moved(
    tmp_path: Path, clock: MovedClock, migrated: bytes, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """A database whose time is that of the moved clock."""
    statements_run_at_once(monkeypatch)
    file = tmp_path / "baton.db"
    file.write_bytes(migrated)
    database = Database(f"sqlite+aiosqlite:///{file}", clock)
    yield database
    await database.close()
