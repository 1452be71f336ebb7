"""Puts the router together."""

from collections.abc import Sequence
from datetime import timedelta

from services.router.api import ordering, pilots, proving, reading, simulating
from services.router.handlers.hearing import Handlers
from services.router.handlers.orders import Orders
from services.router.handlers.sitting import Sittings
from services.router.handlers.waiting import Waiting
from services.router.settings import RouterSettings
from services.router.store.tables import tables
from services.router.store.trimming import rules_of
from shared.db.trimming import Rule
from shared.domain.events import ACTIVITIES, ESCALATIONS, INQUIRIES
from shared.runtime.consume import Consumer, Consumption
from shared.runtime.in_force import InForce
from shared.runtime.relay import OutboxRelay
from shared.runtime.service import Platform, Service, Signal
from shared.runtime.trim import Trimmer
from shared.settings import read


def build(platform: Platform) -> Service:
    """The router, under the agreement of `BATON_AGREEMENT`, which it follows as it changes."""
    decided, waits = Signal(), Signal()
    in_force = InForce(database=platform.db, path=platform.settings.agreement, tables=tables, changed=waits)
    sittings = Sittings(platform.db, in_force.at)
    handlers = Handlers(sittings)
    consumer = Consumer(
        consumption=_consumption(handlers),
        database=platform.db,
        bus=platform.bus,
        clock=platform.clock,
        tables=tables,
        committed=[decided, waits],
    )
    relay = OutboxRelay.on(platform, tables, wake=decided)
    waiting = Waiting(sittings, platform.clock, waits, decided)
    orders = Orders(sittings, (decided, waits))
    return Service(
        name="router",
        viewers_may_post=(simulating.PATH,),
        routers=[
            reading.router(platform, in_force.at),
            proving.router(platform, in_force.state),
            pilots.router(platform, in_force.at),
            simulating.router(platform, in_force.at),
            ordering.router(orders, platform.keys),
        ],
        starts=(in_force.start,),
        tasks={
            "consumer": consumer.run,
            "relay": relay.run,
            "agreement": in_force.run,
            "waiting": waiting.run,
            "trim": Trimmer(platform.db, "router", _rules(platform)).run,
        },
        checks={"database": platform.check_database, "bus": platform.check_bus, "records": consumer.complete},
        notes={"agreement": in_force.note, "consumer": consumer.note},
    )


def _rules(platform: Platform) -> Sequence[Rule]:
    days = read(RouterSettings, platform.environ).keep_days
    kept = timedelta(days=days) if days is not None else None
    return rules_of(kept, inbox=timedelta(days=platform.settings.inbox_days))


def _consumption(handlers: Handlers) -> Consumption:
    return Consumption(
        group="baton.router",
        handlers={
            INQUIRIES: handlers.on_inquiries,
            ACTIVITIES: handlers.on_activities,
            ESCALATIONS: handlers.on_escalations,
        },
    )
