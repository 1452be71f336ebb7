"""Fixtures of tests that live through a past."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.db import schema
from shared.db.engine import Database
from tests.services.simulation_kit import SPRING, MovedClock


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock(SPRING)


@pytest.fixture
async def moved(tmp_path: Path, clock: MovedClock) -> AsyncIterator[Database]:
    """A database whose time is that of the moved clock."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", clock)
    await schema.migrate(database)
    yield database
    await database.close()
