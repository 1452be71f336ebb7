"""Puts the router together."""

from services.router.api import commands, leads, pilots, proofs, rejudging, simulations
from services.router.handlers.commands import Commands
from services.router.handlers.events import RouterHandlers
from services.router.handlers.parked import ParkedTimer
from services.router.handlers.rejudging import Rejudgings
from services.router.handlers.transaction import RoutingTransactions
from services.router.settings import RouterSettings
from services.router.store.tables import tables
from services.router.store.trimming import EXPIRED
from shared.agreements.in_force import InForce
from shared.domain.events import ACTIVITIES, ESCALATIONS, INQUIRIES
from shared.runtime.consume import Consumer, Consumption
from shared.runtime.relay import OutboxRelay
from shared.runtime.service import Platform, Service
from shared.runtime.trim import Trimmer
from shared.runtime.wakeup import WakeUp
from shared.settings import read


def build(platform: Platform) -> Service:
    """The router, under the agreement of `BATON_AGREEMENT`, which it follows as it changes."""
    settings = read(RouterSettings, platform.environ)
    decided, waits = WakeUp(), WakeUp()
    in_force = InForce(database=platform.db, path=platform.settings.agreement, tables=tables, changed=waits)
    transactions = RoutingTransactions(platform.db, in_force.at)
    handlers = RouterHandlers(transactions)
    consumer = Consumer.on(platform, tables, _consumption(handlers), committed=[decided, waits])
    relay = OutboxRelay.on(platform, tables, wake=decided)
    waiting = ParkedTimer(transactions, platform.clock, waits, decided)
    command_handlers = Commands(transactions, (decided, waits))
    rejudgings = Rejudgings(platform.db, transactions, (decided, waits))
    return Service(
        name="router",
        viewers_may_post=(simulations.PATH, rejudging.PATH),
        routers=[
            leads.router(platform, in_force.at),
            proofs.router(platform, in_force.state),
            pilots.router(platform, in_force.at),
            simulations.router(platform, in_force.at),
            rejudging.router(platform, rejudgings),
            commands.router(command_handlers, platform.keys),
        ],
        starts=(in_force.start,),
        tasks={
            "consumer": consumer.run,
            "relay": relay.run,
            "agreement": in_force.run,
            "waiting": waiting.run,
            "re-judge": rejudgings.run,
            "trim": Trimmer.on(platform, tables, EXPIRED, keep_days=settings.keep_days).run,
        },
        checks={"database": platform.check_database, "bus": platform.check_bus, "records": consumer.complete},
        notes={"agreement": in_force.notice, "not_watched": in_force.not_watched, "consumer": consumer.note},
    )


def _consumption(handlers: RouterHandlers) -> Consumption:
    return Consumption(
        group="baton.router",
        # Activities first: after a backlog, a person whose lead sales had ended comes back, and does not join it.
        handlers={
            ACTIVITIES: handlers.on_activities,
            INQUIRIES: handlers.on_inquiries,
            ESCALATIONS: handlers.on_escalations,
        },
        copies={INQUIRIES: handlers.on_copies},
    )
