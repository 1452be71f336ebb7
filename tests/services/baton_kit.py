"""Router, monitor and scoreboard at work together on a real log, and what they announce."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import sqlalchemy as sa
from msgspec.structs import replace

from services.router.service import build as build_router
from services.scoreboard.service import build as build_scoreboard
from services.sla_monitor.service import build as build_monitor
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Envelope, decode, encode
from shared.db.engine import Database
from shared.domain.events import ACTIVITIES, ASSIGNMENTS, ESCALATIONS, Event, InquiryReceived, WatermarkAdvanced
from shared.domain.ids import event_id
from shared.ports import GroupMember, TopicPartition
from tests.kit import services
from tests.kit.agreements import agreement_text
from tests.kit.services import client_of, from_start, platform_on, running
from tests.kit.waiting import until_right
from tests.services.router_kit import activity

KIND = TypeVar("KIND", bound=Event)
_POSITIONS = "SELECT topic, partition, next_offset FROM {}_positions"


class Baton:
    """The three services at work, and what they announce."""

    def __init__(self, bus: EmbeddedBus, database: Database, client: httpx.AsyncClient, reader: GroupMember) -> None:
        self.bus = bus
        self.database = database
        self.client = client
        self.events: list[Event] = []
        self._reader = reader

    async def accept(self, *inquiries: InquiryReceived) -> None:
        """Publish as ingest does: copies of an inquiry have one event id."""
        ids = [event_id(each.TYPE, each.inquiry_id) for each in inquiries]
        sent = [Envelope(ev, "baton/ingest", each.accepted_at, each) for ev, each in zip(ids, inquiries, strict=True)]
        await self.bus.publish([encode(envelope) for envelope in sent])

    async def call(self, person: int, at: datetime) -> None:
        await services.publish(self.bus, activity(person, "call", accepted_at=at))

    async def wait_for(self, kind: type[KIND], count: int = 1) -> list[KIND]:
        """Wait for so many events of a kind; all facts until now are in."""
        async with asyncio.timeout(60):
            while len(found := self.of(kind)) < count:
                mark = WatermarkAdvanced(lead_id="", instance="ingest-1", upto=datetime.now(UTC))
                message = encode(Envelope(event_id("mark", mark.upto), "baton/ingest", mark.upto, mark))
                partitions = range(self.bus.partitions(ACTIVITIES))
                await self.bus.publish([replace(message, partition=partition) for partition in partitions])
                self.events += [decode(record).event for record in await self._reader.poll(max_records=500, wait_s=0.1)]
        return found

    async def caught_up(self) -> None:
        """Wait until every service has read all that was published, and published all that follows from it."""
        await until_right(self._behind)
        self.events += [decode(record).event for record in await self._reader.poll(max_records=5000, wait_s=0)]

    async def _behind(self) -> str | None:
        waiting = "SELECT count(*) FROM {}_outbox WHERE published_at IS NULL"
        read: dict[TopicPartition, int] = {}
        async with self.database.read() as tx:
            for name in ("router", "sla_monitor"):
                if unsent := (await tx.execute(sa.text(waiting.format(name)))).scalar_one():
                    return f"{name} has {unsent} events to publish"
            for name in ("router", "sla_monitor", "scoreboard"):
                for topic, partition, offset in await tx.execute(sa.text(_POSITIONS.format(name))):
                    place = (topic, partition)
                    read[place] = min(offset, read.get(place, offset))
        spans = await self.bus.spans(list(read))
        late = {place: (offset, spans[place].end) for place, offset in read.items() if offset < spans[place].end}
        return f"read up to, of: {late}" if late else None

    def of(self, kind: type[KIND]) -> list[KIND]:
        return [event for event in self.events if type(event) is kind]

    async def lead(self, lead_id: str = "ld_1") -> Any:
        return (await self.client.get(f"/v1/leads/{lead_id}")).json()

    async def balanced(self, **terms: int) -> None:
        async def wrong() -> str | None:
            found = (await self.client.get("/v1/conservation")).json()
            wanted = {"in_flight": 0, "balanced": True, **terms}
            return None if wanted.items() <= found.items() else f"{found} instead of {wanted}"

        await until_right(wrong)


@asynccontextmanager
async def run_baton(database: Database, bus: EmbeddedBus, folder: Path) -> AsyncIterator[Baton]:
    """The three services, with a promise of one second to everybody who gives an address or a number."""
    file = folder / "agreement.yaml"
    text = agreement_text(within="1 second", warn="30 seconds", move="1 hour", page="2 hours")
    file.write_text(text.replace("    minimum_data: [contact.email]\n", ""))
    settings = {"BATON_AGREEMENT": str(file), "BATON_SLA_MONITOR_TOLERANCE_S": "0.2"}
    platform = platform_on(database, bus, **settings, BATON_SCOREBOARD_TIMEZONE="Europe/Brussels")
    built = [build(platform) for build in (build_router, build_monitor, build_scoreboard)]
    async with running(platform, *built) as web, client_of(web) as client:
        reader = await bus.subscribe(group="test", topics=[ASSIGNMENTS, ESCALATIONS], positions=from_start)
        yield Baton(bus, database, client, reader)
        await reader.close()
