"""Puts the monitor together."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from fastapi import APIRouter

from services.sla_monitor.api import (
    actions,
    attempts,
    commands,
    duty,
    escalations,
    forms,
    silences,
    watermarks,
    windows,
)
from services.sla_monitor.domain.skew import Probes
from services.sla_monitor.handlers import MonitorHandlers
from services.sla_monitor.settings import MonitorSettings
from services.sla_monitor.store.tables import tables
from services.sla_monitor.store.trimming import EXPIRED
from services.sla_monitor.store.verdicts import Verdicts
from services.sla_monitor.workers.clock_probe import ClockProbe
from services.sla_monitor.workers.inquiries import Inquiries
from services.sla_monitor.workers.periods import Periods
from services.sla_monitor.workers.timer import Timer
from shared.domain.events import ACTIVITIES, ASSIGNMENTS, INQUIRIES
from shared.http.asgi import Endpoint
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
    probes = Probes()
    wake, advanced, announced = WakeUp(), WakeUp(), WakeUp()
    periods = Periods(database=platform.db, bus=platform.bus, tolerance=tolerance, announced=announced)
    handlers = MonitorHandlers(platform.db, platform.bus, tolerance, probes, counts=periods.promised)
    verdicts = Verdicts(platform.db, tolerance, partial(platform.bus.partition_of, INQUIRIES))
    inquiries = Inquiries(
        database=platform.db, bus=platform.bus, verdicts=verdicts, tolerance=tolerance, announced=announced
    )
    consumer = _consumer(platform, handlers, verdicts, committed=[advanced], changed=(announced, wake))
    timer = Timer(platform.db, platform.bus, tolerance=tolerance, wake=wake, advanced=advanced, announced=announced)
    # A skew is certain up to this interval, which has to be well below the tolerance.
    probe = ClockProbe(platform.db, platform.bus, probes, every_s=min(max(settings.tolerance_s / 4, 0.1), 1.0))
    relay = OutboxRelay.on(platform, tables, wake=announced)
    act = actions.action_endpoint(
        key=platform.link_key, clock=platform.clock, database=platform.db, changed=(announced, wake)
    )
    return Service(
        name="sla_monitor",
        endpoints={actions.PATH: Endpoint(act, routed=("GET", "HEAD"), any_site=True)},
        routers=_routers(platform, tolerance, changed=(announced, wake)),
        tasks={
            "consumer": consumer.run,
            "timer": timer.run,
            "periods": periods.run,
            "inquiries": inquiries.run,
            "clock_probe": probe.run,
            "relay": relay.run,
            "trim": Trimmer.on(platform, tables, EXPIRED, keep_days=settings.keep_days).run,
        },
        checks={"database": platform.check_database, "bus": platform.check_bus, "records": consumer.complete},
        notes={
            "consumer": consumer.note,
            "clocks": timer.note,
            "promises": timer.postponed.note,
            "periods": periods.postponed.note,
            "inquiries": inquiries.postponed.note,
        },
    )


def _routers(platform: Platform, tolerance: timedelta, changed: Sequence[WakeUp]) -> list[APIRouter]:
    return [
        windows.router(platform.db, platform.keys),
        escalations.router(platform.db, platform.keys, changed=changed),
        silences.router(platform, changed=changed),
        duty.router(platform),
        attempts.router(platform),
        commands.router(platform, changed=changed),
        forms.router(platform.db, platform.keys, changed=changed),
        watermarks.router(platform, tolerance),
    ]


def _consumer(
    platform: Platform,
    handlers: MonitorHandlers,
    verdicts: Verdicts,
    *,
    committed: Sequence[WakeUp],
    changed: Sequence[WakeUp],
) -> Consumer:
    consumption = Consumption(
        group="baton.sla_monitor",
        handlers={
            INQUIRIES: handlers.on_inquiries,
            ASSIGNMENTS: handlers.on_assignments,
            ACTIVITIES: handlers.on_activities,
        },
        together=verdicts.pair,
        set_aside=handlers.on_set_aside,
        gather_s=0.1,
        # An activity that its sender repeats may reach two ingest processes; the earlier of the two instants counts.
        repeated=(ACTIVITIES,),
    )
    return Consumer.on(platform, tables, consumption, committed=committed, changed=changed)
