"""Builds the ingest service: its endpoints, its spool, and the relay to the log."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

from services.ingest.api.actions import PATH as ACTIONS
from services.ingest.api.actions import action_endpoint
from services.ingest.api.activities import activities_endpoint
from services.ingest.api.attempts import AttemptsRule, monitor_of
from services.ingest.api.commands import router as commands_router
from services.ingest.api.leads import leads_endpoint
from services.ingest.api.openapi import described
from services.ingest.api.sources import PREFIX as SOURCES
from services.ingest.api.sources import SourceEndpoint
from services.ingest.domain.dating import Dating
from services.ingest.domain.facts import Activity, Rules
from services.ingest.domain.identity import Identity
from services.ingest.domain.rules import counted
from services.ingest.settings import IngestSettings
from services.ingest.sources import Source
from services.ingest.sources.configuration import load
from services.ingest.spool.file import SpoolFile, claim
from services.ingest.spool.identity_key import check_same_key, identity_key
from services.ingest.spool.relay import Relay
from services.ingest.spool.resend import requested
from services.ingest.spool.writer import Spool
from shared import log, metrics
from shared.agreements.in_force import FileInForce
from shared.clock import new_id
from shared.domain.errors import Misconfigured
from shared.http.asgi import Endpoint
from shared.ports import Clock
from shared.runtime.service import Platform, Service
from shared.settings import read


def build(platform: Platform) -> Service:
    """The service on this platform. Claims its spool immediately; raises `Misconfigured` if that cannot work."""
    settings = read(IngestSettings, platform.environ)
    identity = Identity(identity_key(platform.settings))
    path = platform.settings.sources
    sources = load(path, platform.environ) if path is not None else {}
    agreement = FileInForce(path=platform.settings.agreement, clock=platform.clock, service="ingest")
    rules, now = _rules(agreement, platform.clock), platform.clock.now
    own, orphans = claim(platform.settings.data, max_bytes=settings.spool_bytes, retention=platform.settings.retention)
    spool = _spool(own, platform, settings)
    monitor = monitor_of(settings.monitor_url, platform.settings)
    attempts = AttemptsRule(
        ask=monitor.ask if monitor is not None else None,
        in_force=lambda: agreement.at(now()),
        repeats=spool.repeats,
        clock=platform.clock,
    )
    dating = Dating(platform.clock, timedelta(seconds=settings.dated_back_s))
    relay = Relay(
        spool,
        platform.bus,
        platform.clock,
        marker_s=settings.marker_s,
        requested=partial(requested, platform.settings.data),
    )
    metrics.spool_rows.set_function(lambda: spool.rows)

    async def announced() -> str | None:
        return None if spool.announced else "the log has not had this instance's first marker yet: is the log away?"

    tasks = {"relay": relay.run, "agreement": agreement.run}
    if orphans:
        tasks["orphans"] = lambda: _empty([_spool(file, platform, settings) for file in orphans], platform, settings)
    return Service(
        name="ingest",
        endpoints=_endpoints(platform, spool, identity, sources, rules, attempts, dating),
        openapi=described,
        routers=(commands_router(platform.settings.data, spool, platform.keys),),
        starts=(agreement.start, spool.start, lambda: check_same_key(spool, identity)),
        tasks=tasks,
        drains=(relay.leave, spool.close, *((monitor.close,) if monitor is not None else ())),
        checks={"announced": announced, "spool": spool.shortage, "clock": spool.clock_doubt},
        notes={"agreement": agreement.notice, "set_aside": spool.aside_note},
    )


def _endpoints(
    platform: Platform,
    spool: Spool,
    identity: Identity,
    sources: Mapping[str, Source],
    rules: Rules,
    attempts: AttemptsRule,
    dating: Dating,
) -> Mapping[str, Endpoint]:
    keys = platform.keys
    act = action_endpoint(
        key=platform.link_key, clock=platform.clock, spool=spool, identity=identity, rules=rules, attempts=attempts
    )
    acts = activities_endpoint(spool=spool, keys=keys, identity=identity, rules=rules, dating=dating, attempts=attempts)
    leads = leads_endpoint(spool=spool, keys=keys, identity=identity, configured=frozenset(sources))
    return {
        "/v1/leads": Endpoint(leads, routed=("GET", "HEAD")),
        "/v1/activities": Endpoint(acts),
        ACTIONS: Endpoint(act, routed=("GET", "HEAD"), any_site=True),
        SOURCES: Endpoint(SourceEndpoint(sources=sources, spool=spool, identity=identity).app(), any_site=True),
    }


def _rules(agreement: FileInForce, clock: Clock) -> Rules:
    """The rules of the agreement in force when an activity arrives. While there is none, no activity is refused: a bad
    file must not stop ingest.
    """

    def as_it_counts(activity: Activity) -> Activity:
        in_force = agreement.at(clock.now())
        return counted(in_force, activity) if in_force is not None else activity

    return as_it_counts


def _spool(file: SpoolFile, platform: Platform, settings: IngestSettings) -> Spool:
    return Spool(file, platform.clock, new_id, max_rows=settings.spool_rows, free_bytes=settings.free_bytes)


async def _empty(orphans: Sequence[Spool], platform: Platform, settings: IngestSettings) -> None:
    """Relay the spools of processes that no longer run, and sign off for them. Never returns.

    A file that cannot be opened is left alone.
    """
    for spool in orphans:
        try:
            await spool.start()
        except Misconfigured as unreadable:
            log.get("ingest").error("spool_not_relayed", reason=unreadable.detail)
            continue
        relay = Relay(spool, platform.bus, platform.clock, marker_s=settings.marker_s)
        async with asyncio.TaskGroup() as group:
            group.create_task(relay.run())
            await relay.leave()
        await spool.close()
    await asyncio.Event().wait()
