"""Builds the delivery service: consumes the inquiries and the public topics, sends webhooks, serves readers."""

import random
from collections.abc import Sequence
from urllib.parse import urlsplit

from fastapi import APIRouter

from services.delivery.api import notices
from services.delivery.api.actions import ActionPages
from services.delivery.api.deliveries import DeliveryRoutes
from services.delivery.api.events import EventRoutes
from services.delivery.api.subscriptions import SubscriptionRoutes
from services.delivery.channels.connecting import Resolve, resolve, vet_host
from services.delivery.channels.http_client import DEADLINE_S, HttpClient
from services.delivery.channels.webhook import Webhooks
from services.delivery.domain.action_links import LinkMaker, why_no_links
from services.delivery.domain.endpoint import Endpoint, vet_url
from services.delivery.domain.notice_retry import Schedules
from services.delivery.domain.retry import SCHEDULE_S
from services.delivery.handlers.events import DeliveryHandlers
from services.delivery.handlers.notices import NoticeHandlers
from services.delivery.notifying import new_notifier
from services.delivery.settings import DeliverySettings
from services.delivery.store.notices import Grouping
from services.delivery.store.tables import TABLES
from services.delivery.store.trimming import EXPIRED
from services.delivery.workers.dispatcher import Dispatcher
from services.delivery.workers.heartbeat import Heartbeat
from services.delivery.workers.notice_sender import NoticeWork
from services.delivery.workers.notice_watch import NoticeWatch
from services.delivery.workers.sender import WebhookWork
from shared.db.engine import Database
from shared.domain.errors import Misconfigured, Refused
from shared.domain.events import ASSIGNMENTS, ESCALATIONS, INQUIRIES
from shared.runtime.consume import Consumer, Consumption
from shared.runtime.relay import OutboxRelay
from shared.runtime.service import Platform, Service
from shared.runtime.trim import Trimmer
from shared.runtime.wakeup import WakeUp, WakeUps
from shared.settings import read

GROUP = "baton.delivery"


def build(
    platform: Platform,
    *,
    schedule_s: Sequence[float] = SCHEDULE_S,
    schedules: Schedules = Schedules(),  # noqa: B008 (immutable)
    grouping: Grouping | None = None,
    resolving: Resolve = resolve,
    deadline_s: float = DEADLINE_S,
) -> Service:
    """The service on this platform. Tests send with quicker schedules and deadlines, and with a resolver of theirs."""
    settings = read(DeliverySettings, platform.environ)
    allow_loopback = platform.settings.allow_loopback_endpoints
    quarantined, due, notify, arrivals = WakeUp(), WakeUp(), WakeUp(), WakeUps()
    consumption = _consumption(platform.db, grouping := grouping or Grouping(settings.notice_interval_s))
    consumer = Consumer.on(platform, TABLES, consumption, committed=(quarantined, due, notify, arrivals))
    http = HttpClient(clock=platform.clock, resolve=resolving, allow_loopback=allow_loopback, deadline_s=deadline_s)
    webhooks = WebhookWork(post=Webhooks(http, platform.clock).post, schedule_s=schedule_s, fraction=random.random)
    sender = Dispatcher(platform.db, webhooks, wake=due, per_lane=settings.per_endpoint, in_flight=settings.in_flight)
    people = new_notifier(platform.environ, platform.clock, resolving=resolving, deadline_s=deadline_s)
    links, no_links = _links(platform)
    notifier = Dispatcher(
        platform.db,
        NoticeWork(send=people.send, grouping=grouping, schedules=schedules, fraction=random.random, links=links),
        wake=notify,
        per_lane=settings.per_endpoint,
        in_flight=settings.in_flight,
        recorded=(quarantined,),
    )
    watch = NoticeWatch(platform.db, mails=people.mails, no_links=no_links)
    watchdog, beating = _heartbeat(platform, settings, resolving, deadline_s)
    pages = ActionPages(key=platform.link_key, clock=platform.clock, database=platform.db)
    pull = EventRoutes(database=platform.db, keys=platform.keys, arrivals=arrivals)
    return Service(
        name="delivery",
        endpoints=pages.endpoints(),
        routers=(*_routers(platform, resolving, due), pull.router(), pages.router()),
        tasks={
            "consume": consumer.run,
            "relay": OutboxRelay.on(platform, TABLES, wake=quarantined).run,
            "send": sender.run,
            "notify": notifier.run,
            "watch_notices": watch.run,
            "heartbeat": beating.run,
            "trim": Trimmer.on(platform, TABLES, EXPIRED, keep_days=settings.keep_days).run,
        },
        closes=(pull.close,),
        drains=(sender.drain, http.close, notifier.drain, people.close, watchdog.close),
        checks={"database": platform.check_database, "log": platform.check_bus, "records": consumer.complete},
        notes={"consumer": consumer.note, "notices": watch.note, "heartbeat": beating.note},
    )


def _routers(platform: Platform, resolving: Resolve, due: WakeUp) -> Sequence[APIRouter]:
    allow_loopback = platform.settings.allow_loopback_endpoints

    async def vet(endpoint: Endpoint) -> None:
        await vet_host(endpoint.host, endpoint.port, resolving, allow_loopback=endpoint.loopback)

    subscriptions = SubscriptionRoutes(database=platform.db, keys=platform.keys, vet=vet, allow_loopback=allow_loopback)
    deliveries = DeliveryRoutes(database=platform.db, keys=platform.keys, due=due)
    return subscriptions.router(), deliveries.router(), notices.router(platform)


def _links(platform: Platform) -> tuple[LinkMaker | None, str | None]:
    """What makes the links of messages, or why there are none."""
    url, key = platform.settings.public_url, platform.link_key
    return LinkMaker(url, key) if url is not None and key is not None else None, why_no_links(url, key)


def _heartbeat(
    platform: Platform, settings: DeliverySettings, resolving: Resolve, deadline_s: float
) -> tuple[HttpClient, Heartbeat]:
    """The heartbeat with a client of its own: its host is named by the operator, so it may be in a private network.
    Raises `Misconfigured` for a URL that nothing can be sent to.
    """
    url, host = settings.heartbeat_url, None
    if url is not None:
        try:
            host = urlsplit(url.get_secret_value()).hostname or ""
            vet_url(url.get_secret_value(), allow_loopback=True, internal=[host])
        except (ValueError, Refused) as wrong:
            why = wrong.detail if isinstance(wrong, Refused) else "this does not read as a URL."
            raise Misconfigured(f"BATON_DELIVERY_HEARTBEAT_URL: {why}") from None
    client = HttpClient(
        clock=platform.clock,
        resolve=resolving,
        allow_loopback=platform.settings.allow_loopback_endpoints,
        internal=[host] if host is not None else (),
        deadline_s=deadline_s,
    )
    every_s, recent_s = settings.heartbeat_every_s, settings.heartbeat_recent_s
    return client, Heartbeat(platform.db, client, url, every_s=every_s, recent_s=recent_s)


def _consumption(database: Database, grouping: Grouping) -> Consumption:
    handlers = DeliveryHandlers(database, NoticeHandlers(grouping))
    return Consumption(
        GROUP,
        {
            INQUIRIES: handlers.on_inquiries,
            ASSIGNMENTS: handlers.on_assignments,
            ESCALATIONS: handlers.on_escalations,
        },
        gather_s=0.05,
    )
