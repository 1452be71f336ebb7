"""Reads the database's clock next to the ends of the log, so that the clocks of ingest can be compared with it."""

import asyncio
from typing import NoReturn

from services.sla_monitor.domain.skew import Probe, Probes
from shared.db.engine import Database
from shared.domain.events import ACTIVITIES
from shared.ports import Bus
from shared.runtime.backoff import until_back


class ClockProbe:
    """Adds to `probes` every `every_s` seconds."""

    def __init__(self, database: Database, bus: Bus, probes: Probes, *, every_s: float) -> None:
        self._database = database
        self._bus = bus
        self._probes = probes
        self._every_s = every_s

    async def run(self) -> NoReturn:
        """Probe until cancelled; outages are waited out."""
        while True:
            await until_back(self.probe, service="sla_monitor", task="clock_probe")
            await asyncio.sleep(self._every_s)

    async def probe(self) -> None:
        """Probe once."""
        places = [(ACTIVITIES, number) for number in range(self._bus.partitions(ACTIVITIES))]
        # On one connection: with PostgreSQL, what only reads holds no transaction open.
        async with self._database.read() as tx:
            before_at = await self._database.now(tx)
            ends = await self._bus.ends(places)
            after_at = await self._database.now(tx)
        self._probes.add(Probe(before_at, {number: ends[topic, number] for topic, number in places}, after_at))
