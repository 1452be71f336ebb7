"""Puts the monitor together."""

from datetime import timedelta

from services.sla_monitor.api import escalations, operations, windows
from services.sla_monitor.handlers import MonitorHandlers
from services.sla_monitor.settings import MonitorSettings
from services.sla_monitor.store.tables import tables
from services.sla_monitor.store.trimming import rules_of
from services.sla_monitor.workers.timer import Timer
from shared.domain.events import ACTIVITIES, ASSIGNMENTS
from shared.runtime.consume import Consumer, Consumption
from shared.runtime.relay import OutboxRelay
from shared.runtime.service import Platform, Service
from shared.runtime.trim import Trimmer
from shared.runtime.wakeup import WakeUp
from shared.settings import read


def build(platform: Platform) -> Service:
    """The monitor. Raises `Misconfigured` for a `BATON_SLA_MONITOR_` setting that can't be."""
    settings = read(MonitorSettings, platform.environ)
    tolerance = timedelta(seconds=settings.tolerance_s)
    handlers = MonitorHandlers(platform.db, platform.bus, tolerance)
    wake, announced = WakeUp(), WakeUp()
    consumption = Consumption(
        group="baton.sla_monitor",
        handlers={ASSIGNMENTS: handlers.on_assignments, ACTIVITIES: handlers.on_activities},
        set_aside=handlers.on_set_aside,
        gather_s=0.1,
        # An activity that its sender repeats may reach two ingest processes; the earlier of the two instants counts.
        repeated=(ACTIVITIES,),
    )
    consumer = Consumer(
        consumption=consumption,
        database=platform.db,
        bus=platform.bus,
        clock=platform.clock,
        tables=tables,
        committed=[announced, wake],
    )
    partitions = platform.bus.partitions(ACTIVITIES)
    timer = Timer(database=platform.db, partitions=partitions, tolerance=tolerance, wake=wake, announced=announced)
    relay = OutboxRelay.on(platform, tables, wake=announced)
    kept = timedelta(days=settings.keep_days) if settings.keep_days is not None else None
    rules = rules_of(kept, inbox=timedelta(days=platform.settings.inbox_days))
    trimmer = Trimmer(platform.db, "sla_monitor", rules)
    return Service(
        name="sla_monitor",
        routers=[
            windows.router(platform.db, platform.keys),
            escalations.router(platform.db, platform.keys, changed=(announced, wake)),
            operations.router(platform.db, platform.keys, changed=(announced, wake)),
        ],
        tasks={"consumer": consumer.run, "timer": timer.run, "relay": relay.run, "trim": trimmer.run},
        checks={"database": platform.check_database, "bus": platform.check_bus, "records": consumer.complete},
        notes={"consumer": consumer.note, "clocks": timer.note},
    )
