"""What the bus has stays in the spool for a while, counted forever, and can be sent again."""

import sqlite3
from pathlib import Path

from services.ingest.spool.relay import Relay
from services.ingest.spool.resend import ResendRequest
from services.ingest.spool.writer import DELETED_AT_ONCE
from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.domain.events import INQUIRIES
from shared.ports import Record
from tests.kit.services import from_start
from tests.unit.services.ingest.test_spool import draft, opened


async def test_what_the_bus_has_is_retained_up_to_a_number_and_counted_for_ever(tmp_path: Path) -> None:
    async with opened(tmp_path, retain=20) as spool:
        await spool.append([draft(n) for n in range(DELETED_AT_ONCE)])
        last = (await spool.oldest(after=DELETED_AT_ONCE - 10, limit=10))[-1].seq
        await spool.watermark(relayed=last)
        assert spool.rows == 0
        retained = await spool.published(after=0, since_us=0, limit=1000)
        assert [entry.seq for entry in retained] == list(range(last - 19, last + 1))
        assert await spool.published(after=0, since_us=retained[-1].accepted_at_us + 1, limit=1000) == []
    async with opened(tmp_path, retain=20) as spool:
        [again] = await spool.append([draft(1)])
        assert again.duplicate
        await spool.append([draft(DELETED_AT_ONCE)])
        assert await spool.inquiries_upto(last + 1) == DELETED_AT_ONCE + 1


async def test_little_of_a_spool_goes_to_what_the_bus_has(tmp_path: Path) -> None:
    async with opened(tmp_path, retain=10**6, max_bytes=2**21) as spool:
        await spool.append([draft(n, message="x" * 2000) for n in range(500)])
        await spool.watermark(relayed=500)
        assert await spool.published(after=0, since_us=0, limit=1000) == []


async def test_a_spool_of_an_earlier_release_gets_its_count(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.append([draft(1)])
    with sqlite3.connect(tmp_path / "spool-0.db") as sql:
        sql.execute("ALTER TABLE entries DROP COLUMN inquiries")
    async with opened(tmp_path) as spool:
        await spool.append([draft(2)])
        assert [entry.inquiries for entry in await spool.oldest(after=0, limit=10)] == [0, 1]


async def test_facts_that_are_asked_for_again_are_published_once_more_and_new_ones_in_between(
    tmp_path: Path, embedded_bus: EmbeddedBus
) -> None:
    asked: list[ResendRequest] = []
    async with opened(tmp_path / "spool", retain=100) as spool:
        relay = Relay(spool, embedded_bus, SystemClock(), marker_s=0, requested=lambda: asked[0] if asked else None)
        await spool.append([draft(n) for n in range(3)])
        await relay.relay_once()
        asked.append(ResendRequest("again", 0))
        await spool.append([draft(3)])
        for _ in range(4):
            await relay.relay_once()
        sent = [record.headers["ce_acceptance"].decode().partition("/")[2] for record in await inquiries(embedded_bus)]
        assert sorted(sent) == ["1", "1", "2", "2", "3", "3", "4", "4"]
        assert await spool.resent() == "again"


async def inquiries(bus: EmbeddedBus) -> list[Record]:
    """All inquiries on the bus so far."""
    subscription = await bus.subscribe(group="test", topics=[INQUIRIES], positions=from_start)
    return list(await subscription.poll(max_records=1000, wait_s=1))
