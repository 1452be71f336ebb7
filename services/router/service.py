"""Puts the router together."""

from services.router import api, store
from services.router.handlers import Handlers
from shared import agreement_file
from shared.domain.events import ACTIVITIES, ESCALATIONS, INQUIRIES
from shared.runtime.consume import Consumer, Consumption
from shared.runtime.relay import OutboxRelay
from shared.runtime.service import Platform, Service, Signal


def build(platform: Platform) -> Service:
    """The router, with the agreement of `BATON_AGREEMENT`. Raises `Misconfigured` when that does not load."""
    agreement = agreement_file.load(platform.settings.agreement).agreement
    handlers = Handlers(platform.db, lambda: agreement)
    committed = Signal()
    consumption = Consumption(
        group="baton.router",
        handlers={
            INQUIRIES: handlers.on_inquiries,
            ACTIVITIES: handlers.on_activities,
            ESCALATIONS: handlers.on_escalations,
        },
    )
    consumer = Consumer(
        consumption=consumption,
        database=platform.db,
        bus=platform.bus,
        clock=platform.clock,
        tables=store.tables,
        committed=[committed],
    )
    relay = OutboxRelay(database=platform.db, bus=platform.bus, tables=store.tables, wake=committed)
    return Service(
        name="router",
        routers=[api.router(platform.db, platform.keys, lambda: agreement)],
        tasks={"consumer": consumer.run, "relay": relay.run},
        checks={"database": platform.check_database, "bus": platform.check_bus},
    )
