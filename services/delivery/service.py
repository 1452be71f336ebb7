"""Builds the delivery service: hears the public topics, sends webhooks, answers readers."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta

from services.delivery.api import Doors
from services.delivery.arrivals import Arrivals
from services.delivery.channels.address import Resolve, resolve, vet_host
from services.delivery.channels.webhook import DEADLINE_S, Webhooks
from services.delivery.domain.endpoint import Endpoint
from services.delivery.domain.retry import SCHEDULE_S
from services.delivery.handlers import Handlers
from services.delivery.pull import Pull
from services.delivery.sender import Pace, Sender
from services.delivery.settings import DeliverySettings
from services.delivery.store.events import trim
from services.delivery.store.tables import TABLES
from shared import log
from shared.db.engine import Database
from shared.db.outages import is_outage
from shared.domain.events import ASSIGNMENTS, ESCALATIONS
from shared.runtime.consume import Consumer, Consumption
from shared.runtime.relay import OutboxRelay
from shared.runtime.service import Platform, Run, Service, Signal
from shared.settings import read

GROUP = "baton.delivery"
TRIM_EVERY_S = 600.0
TRIM_AT_ONCE = 500


def build(
    platform: Platform,
    *,
    schedule_s: Sequence[float] = SCHEDULE_S,
    resolving: Resolve = resolve,
    deadline_s: float = DEADLINE_S,
) -> Service:
    """The service on this platform. Tests send with a quicker schedule and deadline, and with a resolver of theirs."""
    settings = read(DeliverySettings, platform.environ)
    allow_loopback = platform.settings.allow_loopback_endpoints
    quarantined, due, arrivals = Signal(), Signal(), Arrivals()
    consumer = Consumer(
        consumption=_consumption(platform.db),
        database=platform.db,
        bus=platform.bus,
        clock=platform.clock,
        tables=TABLES,
        committed=(quarantined, due, arrivals),
    )
    webhooks = Webhooks(clock=platform.clock, resolve=resolving, allow_loopback=allow_loopback, deadline_s=deadline_s)
    sender = Sender(
        database=platform.db,
        post=webhooks.post,
        wake=due,
        pace=Pace(settings.per_endpoint, settings.in_flight, schedule_s),
        fraction=random.random,
    )

    async def vet(endpoint: Endpoint) -> None:
        await vet_host(endpoint.host, endpoint.port, resolving, allow_loopback=endpoint.loopback)

    doors = Doors(database=platform.db, keys=platform.keys, vet_host=vet, allow_loopback=allow_loopback, due=due)
    pull = Pull(database=platform.db, keys=platform.keys, arrivals=arrivals)
    relay = OutboxRelay(database=platform.db, bus=platform.bus, clock=platform.clock, tables=TABLES, wake=quarantined)
    return Service(
        name="delivery",
        routers=(doors.router(), pull.router()),
        tasks={
            "consume": consumer.run,
            "relay": relay.run,
            "send": sender.run,
            "trim": lambda: _trim_forever(platform.db, timedelta(days=settings.keep_days)),
        },
        closes=(pull.close,),
        drains=(sender.drain, webhooks.close),
        checks={"database": lambda: _answers(platform.db.ping), "log": lambda: _answers(platform.bus.ping)},
        notes={"consumer": consumer.note},
    )


def _consumption(database: Database) -> Consumption:
    handlers = Handlers(database)
    return Consumption(
        GROUP, {ASSIGNMENTS: handlers.on_assignments, ESCALATIONS: handlers.on_escalations}, gather_s=0.05
    )


async def _answers(ping: Run) -> str | None:
    await ping()
    return None


async def _trim_forever(database: Database, kept: timedelta) -> None:
    while True:
        try:
            await trim_once(database, kept)
        except Exception as error:
            if not is_outage(error):
                raise
            log.get("delivery").warning("trimming_waits", reason=type(error).__name__)
        await asyncio.sleep(TRIM_EVERY_S)


async def trim_once(database: Database, kept: timedelta) -> int:
    """Delete what is older than `kept`, in short transactions; how many events."""
    total = 0
    while True:
        async with database.begin() as tx:
            count = await trim(tx, await database.now(tx) - kept, TRIM_AT_ONCE)
        total += count
        if count < TRIM_AT_ONCE:
            return total
