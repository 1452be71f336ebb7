"""All five services in this process, on SQLite and the embedded log, so that a test can write to the log itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from services.embedded.__main__ import BUILDERS
from shared.bus.embedded import EmbeddedBus
from shared.bus.topics import read_topics
from shared.clock import SystemClock
from shared.db import schema
from shared.db.engine import Database
from shared.http.keys import Keys
from shared.ports import Bus
from shared.runtime.service import Platform
from shared.settings import Settings, read
from tests.kit.agreements import agreement_text


@dataclass
class Everything:
    """Running services: the log they read, the database they write, and their tasks, none of which may end."""

    bus: Bus
    database: Database
    tasks: list["asyncio.Task[None]"]

    def ended(self) -> list[str]:
        """The tasks that ended, and why."""
        return [f"{task.get_name()}: {task.exception()!r}" for task in self.tasks if task.done()]


@contextlib.asynccontextmanager
async def everything(folder: Path) -> AsyncIterator[Everything]:
    """Start all services, without their HTTP server."""
    (folder / "agreement.yaml").write_text(agreement_text())
    environ = {"BATON_DATA": str(folder), "BATON_AGREEMENT": str(folder / "agreement.yaml")}
    settings, clock = read(Settings, environ), SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        bus = EmbeddedBus(folder / "log.db", read_topics(), clock)
        stack.push_async_callback(bus.close)
        await bus.start()
        database = Database(f"sqlite+aiosqlite:///{folder}/baton.db", clock)
        stack.push_async_callback(database.close)
        await schema.migrate(database)
        platform = Platform(settings, environ, clock, bus, database, Keys.load(settings))
        services = [build(platform) for build in BUILDERS]
        for start in (start for service in services for start in service.starts):
            await start()
        tasks = [asyncio.create_task(run(), name=f"{s.name}.{name}") for s in services for name, run in s.tasks.items()]
        try:
            yield Everything(bus, database, tasks)
        finally:
            for close in (close for service in services for close in service.closes):
                close()
            for drain in (drain for service in services for drain in service.drains):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(5):
                        await drain()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
