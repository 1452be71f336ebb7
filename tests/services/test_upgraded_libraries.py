"""A newer library of public holidays or time zones says something else about days: nothing stored is judged by it."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import holidays
import pytest

from shared import agreement_file
from shared.agreements import store
from shared.db.engine import Database
from tests.kit.agreements import agreement_text
from tests.services.sla_monitor_kit import now

TEXT = agreement_text().replace("mon-sun: [00:00-24:00]}", "mon-sun: [00:00-24:00]}, holidays: [BE]")
DECLARED = date(2027, 3, 3)


@pytest.fixture
def upgrade(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = holidays.country_holidays

    def upgraded(*args: Any, **kwargs: Any) -> Any:
        return {**before(*args, **kwargs), DECLARED: "declared since"}

    monkeypatch.setattr(holidays, "country_holidays", upgraded)
    yield
    store._loaded.clear()


@pytest.mark.usefixtures("upgrade")
def test_the_upgrade_of_this_test_changes_what_is_read_for_the_first_time() -> None:
    assert DECLARED in agreement_file.parse(TEXT, "new.yaml").agreement.calendars["always"].holidays


async def test_a_stored_agreement_has_the_holidays_of_the_day_on_which_it_was_stored(
    database: Database, request: pytest.FixtureRequest
) -> None:
    agreed = agreement_file.parse(TEXT, "deal.yaml").agreement
    async with database.begin() as tx:
        await store.save(tx, agreed, now())
    request.getfixturevalue("upgrade")
    store._loaded.clear()
    async with database.read() as tx:
        found = await store.by_hash(tx, agreed.hash)
    assert found.calendars["always"] == agreed.calendars["always"]
    assert DECLARED not in found.calendars["always"].holidays
    assert found == agreed
