"""The ingest service on a real port, on the embedded log, for tests."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from services.ingest.service import build
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Received, decode
from shared.bus.topics import read_topics
from shared.clock import SystemClock
from shared.domain.errors import Unavailable
from shared.http.keys import Keys
from shared.ports import Bus, Clock, Message
from shared.runtime.service import Platform, Service
from shared.runtime.serving import IDLE_S
from shared.runtime.web import Web
from shared.settings import Settings, read
from tests.kit.agreements import agreement_text
from tests.kit.listening import stop_accepting
from tests.kit.services import first_records
from tests.kit.waiting import until

KEY = "an-admin-key-for-tests"
FORM_TOKEN = "a-token-in-the-url"
GOOGLE_KEY = "a-key-entered-at-google"
SOURCES = """\
sources:
  website:
    type: form
    token_from: env:FORM_TOKEN
    origins: [https://acme.example]
    thank_you: [https://acme.example/thanks, https://acme.example/merci]
    honeypot: nickname
    consent: {field: newsletter, basis: opt_in, text: You may write to me}
    defaults: {kind: demo_request}
  open:
    type: form
    public: true
  google:
    type: google_ads
    key_from: [env:GOOGLE_KEY, env:GOOGLE_KEY_BEFORE]
    defaults: {campaign: q4}
"""


class Outage:
    """The embedded log, which a test can take away; it is the real one otherwise."""

    def __init__(self, bus: EmbeddedBus) -> None:
        self.bus = bus
        self.away = False
        self.refusals = 0
        self.refused = asyncio.Event()
        self.published: list[Message] = []

    async def publish(self, messages: Sequence[Message]) -> None:
        if self.away:
            self.refusals += 1
            self.refused.set()
            raise Unavailable("the log is away")
        await self.bus.publish(messages)
        self.published += messages

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bus, name)


def environ(folder: Path, **more: str) -> Mapping[str, str]:
    """What the service is started with."""
    (folder / "agreement.yaml").write_text(agreement_text())
    (folder / "sources.yaml").write_text(SOURCES)
    return {
        "BATON_DATA": str(folder / "data"),
        "BATON_AGREEMENT": str(folder / "agreement.yaml"),
        "BATON_SOURCES": str(folder / "sources.yaml"),
        "BATON_ADMIN_KEY": KEY,
        "BATON_INGEST_MARKER_S": "0.05",
        "FORM_TOKEN": FORM_TOKEN,
        "GOOGLE_KEY": GOOGLE_KEY,
        "GOOGLE_KEY_BEFORE": GOOGLE_KEY + "-before",
        **more,
    }


@dataclass
class Running:
    """The service while it runs."""

    client: httpx.AsyncClient
    service: Service
    bus: Outage
    port: int
    stopped: bool = False

    async def events(self, topic: str, count: int) -> list[Received]:
        """The first `count` events of the topic, markers left out."""
        return await read_events(self.bus, topic, count)

    async def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        """Post JSON with the key."""
        return await self.client.post(path, json=body, headers={"Authorization": f"Bearer {KEY}", **headers})

    async def until_ready(self) -> None:
        """Wait for the log to have the first marker."""
        await until(self._ready)

    async def _ready(self) -> bool:
        return (await self.client.get("/readyz")).status_code == 200

    async def stop(self) -> None:
        """Drain, as the runtime does."""
        self.stopped = True
        for drain in self.service.drains:
            await drain()


@asynccontextmanager
async def running(
    folder: Path, *, clock: Clock | None = None, away: bool = False, **more: str
) -> AsyncIterator[Running]:
    """Serve it in this loop on a free port. Unless it was stopped before, the end is that of a killed process."""
    given = environ(folder, **more)
    settings = read(Settings, {k: v for k, v in given.items() if k.startswith("BATON_") and "INGEST" not in k})
    settings.data.mkdir(exist_ok=True)
    bus = Outage(EmbeddedBus(settings.data / "log.db", read_topics(), SystemClock()))
    await bus.bus.start()
    bus.away = away
    platform = Platform(settings, given, clock or SystemClock(), _as_bus(bus), None, Keys.load(settings))
    service = build(platform)
    for start in service.starts:
        await start()
    web = Web(platform, [service])
    web.open()
    server = uvicorn.Server(uvicorn.Config(web, port=0, log_config=None, lifespan="off", timeout_keep_alive=IDLE_S))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    tasks = [asyncio.create_task(run()) for run in service.tasks.values()]
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        ingest = Running(client, service, bus, port)
        try:
            yield ingest
        finally:
            await stop_accepting(server.servers[0].sockets)
            server.should_exit = True
            await serving
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if not ingest.stopped:
                await service.drains[-1]()
            await bus.bus.close()


def _as_bus(outage: Any) -> Bus:
    bus: Bus = outage
    return bus


async def read_events(bus: Any, topic: str, count: int) -> list[Received]:
    """The first `count` events of the topic, in order per partition, markers left out."""
    return [decode(record) for record in await first_records(bus, topic, count)]
