"""A running scoreboard for tests: the real service on the embedded log, over HTTP without or with a socket."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from services.scoreboard.pages.live import Live
from services.scoreboard.service import build
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Envelope, encode
from shared.db.engine import Database
from shared.domain.events import Event
from shared.ports import Clock
from shared.runtime.service import Platform, Service
from shared.runtime.web import Web
from tests.kit import services
from tests.kit.events import envelope
from tests.kit.services import ADMIN, platform_on
from tests.kit.subscribers import serving
from tests.kit.waiting import until_right


@dataclass
class Board:
    """The scoreboard's routes, and a way to publish what happened."""

    bus: EmbeddedBus
    client: httpx.AsyncClient
    clock: Clock
    live: Live

    async def publish(self, *events: Event) -> None:
        """Put events on the log; the same event always has the same id."""
        await self.bus.publish([encode(self.envelope(event)) for event in events])

    def envelope(self, event: Event) -> Envelope:
        """The event as its service would announce it, at the instant it is about."""
        names = ("at", "accepted_at", "assigned_at", "decided_at")
        at = next((found for name in names if (found := getattr(event, name, None))), self.clock.now())
        return envelope(event, at)

    async def get(self, path: str, *, status: int = 200) -> Any:
        """The JSON of a route, with the key."""
        answer = await self.client.get(path, headers=ADMIN)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def page(self, path: str = "/") -> str:
        """The HTML of a page."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def balanced(self, **terms: int) -> None:
        """Wait until the equation holds and has these terms."""
        await until_right(lambda: self.counts(**terms, balanced=True))

    async def timeline(self, lead_id: str, count: int) -> list[dict[str, Any]]:
        """The lead's timeline once it has `count` events."""
        path = f"/v1/leads/{lead_id}/timeline"

        async def there() -> str | None:
            answer = await self.client.get(path, headers=ADMIN)
            found = len(answer.json()["items"]) if answer.status_code == 200 else 0
            return None if found >= count else f"{found} events instead of {count}"

        await until_right(there)
        items: list[dict[str, Any]] = (await self.get(path))["items"]
        return items

    async def counts(self, **terms: int | bool) -> str | None:
        """None once the equation has these terms, else what it has."""
        found = await self.get("/v1/conservation")
        return None if terms.items() <= found.items() else f"{found} instead of {terms}"


@asynccontextmanager
async def running(
    database: Database,
    bus: EmbeddedBus,
    clock: Clock,
    *,
    serve: bool = False,
    others: Sequence[Callable[[Platform], Service]] = (),
    **environ: str,
) -> AsyncIterator[Board]:
    """The service with its tasks; with `serve`, behind a real server on a free port. `others` are services that run in
    the same process, behind the same address.
    """
    platform = platform_on(database, bus, clock, **{"BATON_SCOREBOARD_TIMEZONE": "Europe/Brussels"} | environ)
    service = build(platform)
    live = getattr(service.tasks["live"], "__self__")  # noqa: B009 (the task is a method of what we look for)
    assert isinstance(live, Live)
    async with (
        services.running(platform, service, *(build_other(platform) for build_other in others)) as web,
        _client(web, serve=serve) as client,
    ):
        yield Board(bus, client, clock, live)


@asynccontextmanager
async def _client(web: Web, *, serve: bool) -> AsyncIterator[httpx.AsyncClient]:
    if not serve:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://127.0.0.1") as client:
            yield client
        return
    async with serving(web) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield client
