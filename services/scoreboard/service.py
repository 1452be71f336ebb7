"""Builds the scoreboard service: a consumer of all five topics, the JSON API, the pages and their live updates."""

from datetime import timedelta

from services.scoreboard import handlers
from services.scoreboard.api import conservation, figures, gaps, orphans, pilots, timeline
from services.scoreboard.domain.orphans import OrphanBounds
from services.scoreboard.pages.live import Live
from services.scoreboard.pages.routes import Pages
from services.scoreboard.settings import ScoreboardSettings
from services.scoreboard.store.tables import tables
from services.scoreboard.store.trimming import EXPIRED
from services.scoreboard.workers.auditor import RunningAuditor
from services.scoreboard.workers.completeness import Completeness
from services.scoreboard.workers.orphans import OrphanExpiry
from shared.domain.events import ACTIVITIES, ASSIGNMENTS, ESCALATIONS, INQUIRIES, QUARANTINE
from shared.domain.zones import time_zone
from shared.runtime.consume import Consumer, Consumption
from shared.runtime.relay import OutboxRelay
from shared.runtime.service import Platform, Service
from shared.runtime.trim import Trimmer
from shared.runtime.wakeup import WakeUp
from shared.settings import read

CONSUMPTION = Consumption(
    "baton.scoreboard",
    {
        INQUIRIES: handlers.on_inquiries,
        ACTIVITIES: handlers.on_activities,
        ASSIGNMENTS: handlers.on_assignments,
        ESCALATIONS: handlers.on_escalations,
        QUARANTINE: handlers.on_quarantine,
    },
    set_aside=handlers.on_set_aside,
    gather_s=0.25,
    repeated=(INQUIRIES,),
)


def build(platform: Platform) -> Service:
    """The scoreboard, ready to start. Raises `Misconfigured` for a setting that does not read."""
    settings = read(ScoreboardSettings, platform.environ)
    zone = time_zone(settings.timezone) if settings.timezone is not None else None
    bounds = OrphanBounds(settings.orphans, timedelta(days=settings.orphan_days))
    seen, decided = WakeUp(), WakeUp()
    live = Live(platform.db, seen)
    consumer = Consumer.on(platform, tables, CONSUMPTION, committed=(seen, decided))
    relay = OutboxRelay.on(platform, tables, wake=decided)

    return Service(
        name="scoreboard",
        routers=(
            conservation.router(platform),
            figures.router(platform, zone),
            timeline.router(platform),
            gaps.router(platform),
            orphans.router(platform),
            pilots.router(platform),
            Pages(platform, zone, live).router(),
        ),
        tasks={
            "consume": consumer.run,
            "relay": relay.run,
            "live": live.run,
            "trim": Trimmer.on(platform, tables, EXPIRED, keep_days=settings.keep_days).run,
            "completeness": Completeness(platform.db, platform.bus).run,
            "orphans": OrphanExpiry(platform.db, bounds).run,
            "auditor": RunningAuditor(platform.db, every_s=settings.audit_every_s, hours=settings.audit_hours).run,
        },
        closes=(live.close,),
        checks={"database": platform.check_database, "records": consumer.complete},
        notes={"consumer": consumer.note},
    )
