"""A delivery service whose notices a test looks at, and what makes notices."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from services.delivery.domain.notice_retry import Schedules
from services.delivery.service import build
from services.delivery.store.notices import Grouping
from shared import agreement_file
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import decode, encode
from shared.db.engine import Database
from shared.domain.event import Recipient
from shared.domain.events import ESCALATIONS, Event
from tests.kit import events
from tests.kit.agreements import agreement_text
from tests.kit.events import NINE, after, envelope
from tests.kit.services import client_of, from_start, platform_on, running
from tests.kit.subscribers import Receiver, Seen

QUICK = Schedules(each_s=(0.02, 0.02), last_s=(0.02,) * 4)
AT_ONCE = Grouping(interval_s=0.0, gather_s=0.0)
PAGERDUTY: tuple[int, dict[str, str], bytes] = (202, {}, b'{"status":"success"}')
CHANNELS = """
channels:
  rep: {webhook: {url_from: env:CHAT}}
  manager: {webhook: {url_from: env:CHAT}}
  ops: {pagerduty: {routing_key_from: env:KEY, url_from: env:PAGER}, slack: {url_from: env:SLACK}}
"""
AGREEMENT = agreement_file.parse(agreement_text() + CHANNELS, "test.yaml").agreement


class Notices:
    """A delivery service whose notices a test looks at."""

    def __init__(self, client: httpx.AsyncClient, bus: EmbeddedBus) -> None:
        self._client = client
        self._bus = bus

    async def publish(self, *made: Event) -> None:
        envelopes = [envelope(event) for event in made]
        await self._bus.publish([encode(each) for each in envelopes])

    async def listed(self, **wanted: str) -> list[dict[str, Any]]:
        answer = await self._client.get("/v1/notices", params={"limit": 200, **wanted})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def ended(self, count: int) -> list[dict[str, Any]]:
        """All notices, once there are so many and none is due."""
        return await self._ended(count)

    async def ended_of(self, role: str, count: int) -> list[dict[str, Any]]:
        """Those of a role, once there are so many and none is due."""
        return await self._ended(count, role=role)

    async def _ended(self, count: int, **wanted: str) -> list[dict[str, Any]]:
        async with asyncio.timeout(60):
            while True:
                found = await self.listed(**wanted)
                if len(found) >= count and not any(each["state"] == "due" for each in found):
                    return found
                await asyncio.sleep(0.02)


@asynccontextmanager
async def notices_on(
    database: Database,
    bus: EmbeddedBus,
    environ: Mapping[str, str],
    *,
    grouping: Grouping = AT_ONCE,
    schedules: Schedules = QUICK,
    deadline_s: float = 15,
) -> AsyncIterator[Notices]:
    async with database.begin() as tx:
        await agreements.save(tx, AGREEMENT, NINE)
    given = {"BATON_ALLOW_LOOPBACK_ENDPOINTS": "true", "KEY": "R0123456789", **environ}
    platform = platform_on(database, bus, **given)
    service = build(platform, schedules=schedules, grouping=grouping, deadline_s=deadline_s)
    async with running(platform, service) as web, client_of(web) as client:
        yield Notices(client, bus)
    for drain in service.drains[1::2]:
        await drain()


def raised(lead: str = "ld_1", *to: Recipient, **changes: Any) -> Event:
    return events.raised(
        lead, to=to or (Recipient("manager", "mia"),), agreement=AGREEMENT.ref, promise_due_at=after(15), **changes
    )


def warned(lead: str = "ld_1", **changes: Any) -> Event:
    return events.warned(lead, to=(Recipient("rep", "ann"),), agreement=AGREEMENT.ref, **changes)


OPS = Recipient("ops", "lea")


def answers_late(peer: Receiver, answer: Any = PAGERDUTY) -> asyncio.Event:
    """Let the peer answer only once the event is set."""
    goes_on = asyncio.Event()

    async def wait(_seen: Seen) -> Any:
        await goes_on.wait()
        return answer

    peer.reply = wait
    return goes_on


def body(seen: Seen) -> Mapping[str, Any]:
    return dict(json.loads(seen.body))


async def published(bus: EmbeddedBus, kind: type[Any], count: int) -> list[Any]:
    """The first events of this type on the topic."""
    reader = await bus.subscribe(group=f"tests-{kind.TYPE}", topics=[ESCALATIONS], positions=from_start)
    found: list[Any] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            polled = [decode(record).event for record in await reader.poll(max_records=1000, wait_s=1)]
            found += [event for event in polled if isinstance(event, kind)]
    await reader.close()
    return found
