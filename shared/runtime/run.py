"""Starts services in one process, serves them, and drains on SIGINT or SIGTERM.

Crash-only: correctness never depends on an orderly stop; draining only makes it fast and quiet. A failed task is
restarted while the others continue. If one ends anyway, the process exits with code 1, so that its supervisor restarts
it. At startup, services wait for their dependencies however long it takes.
"""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from shared import log
from shared.bus.embedded import EmbeddedBus
from shared.bus.topics import read_topics
from shared.clock import SystemClock
from shared.db import schema
from shared.db.engine import Database
from shared.domain.errors import Misconfigured, Problem
from shared.http.entrance import Entrance
from shared.http.keys import Keys, refuse_weak_admin_key
from shared.ports import Bus, Clock
from shared.runtime.backoff import is_away, reason, until_back
from shared.runtime.service import Platform, Service
from shared.runtime.serving import DRAIN_S, Server, serving
from shared.runtime.task import Task
from shared.runtime.web import Web
from shared.settings import Settings, read, refuse_unread, service_links

Build = Callable[[Platform], Service]
KAFKA_WITHIN_S = 10.0
READY_POLL_S = 0.05


def main(
    builders: Sequence[Build],
    environ: Mapping[str, str],
    *,
    accepts_only: bool = False,
    ready: Callable[[str], None] | None = None,
) -> int:
    """Run the services until they are stopped; returns the exit code. If they cannot start, prints one line and returns
    2. With `accepts_only` there is no database, and requests are served even while the event log is down.
    """
    try:
        refuse_unread(environ)
        settings = read(Settings, environ)
        refuse_weak_admin_key(settings)
        log.configure(level=settings.log_level, plain=sys.stderr.isatty())
        _say_what_matters(settings, environ)
        with asyncio.Runner(loop_factory=_loop) as runner:
            return runner.run(_main(builders, settings, environ, accepts_only=accepts_only, ready=ready))
    except Problem as problem:
        sys.stderr.write(f"baton: {problem.detail}\n")
        return 2


def _say_what_matters(settings: Settings, environ: Mapping[str, str]) -> None:
    if links := service_links(environ):
        reason = "Kubernetes sets these for Services called baton; none of them is a setting"
        log.get("runtime").info("service_links_ignored", names=links, reason=reason)
    if settings.pages_open:
        reason = (
            "pages open without a login on this machine; if a proxy lets others in, set BATON_PUBLIC_URL or "
            "BATON_PAGES_LOGIN=true, since a proxy that adds no header can't be told from you"
        )
        log.get("runtime").info("pages_open", reason=reason)


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415 (not on every platform, and only wanted here)

    return uvloop.new_event_loop()


async def _main(
    builders: Sequence[Build],
    settings: Settings,
    environ: Mapping[str, str],
    *,
    accepts_only: bool,
    ready: Callable[[str], None] | None,
) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    entrance = Entrance()
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(entrance, settings))
        starting = asyncio.create_task(_start(stack, builders, settings, environ, entrance, accepts_only=accepts_only))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([starting, stopped], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait([starting])
            return 0
        platform, services = await starting
        tasks = [Task(f"{s.name}.{name}", run) for s in services for name, run in s.tasks.items()]
        web = entrance.web = Web(platform, services, tasks)
        # Objects from startup stay alive: each garbage collection over them took 100 ms, in which no request was
        # served. Cycles are rare, and batches of thousands of rows are not worth a search each (measured: 4 us a lead).
        gc.freeze()
        gc.set_threshold(5_000, 20, 20)
        return await _run(web, services, tasks, server, stop, ready)


async def _start(
    stack: contextlib.AsyncExitStack,
    builders: Sequence[Build],
    settings: Settings,
    environ: Mapping[str, str],
    entrance: Entrance,
    *,
    accepts_only: bool,
) -> tuple[Platform, list[Service]]:
    platform = await _platform(stack, settings, environ, entrance, accepts_only=accepts_only)
    services = [build(platform) for build in builders]
    for service in services:
        for start in service.starts:
            await _until_there(start, entrance, service.name)
    return platform, services


async def _platform(
    stack: contextlib.AsyncExitStack,
    settings: Settings,
    environ: Mapping[str, str],
    entrance: Entrance,
    *,
    accepts_only: bool,
) -> Platform:
    clock = SystemClock()
    keys = Keys.load(settings)
    if not settings.loopback and not keys:
        raise Misconfigured(
            "BATON_HOST opens Baton to other machines: set BATON_ADMIN_KEY first, so that it asks for keys."
        )
    bus = _bus(settings, clock)
    stack.push_async_callback(bus.close)
    if accepts_only:
        starting = asyncio.create_task(_start_when_there(bus), name="log")
        stack.callback(starting.cancel)
    else:
        await _until_there(bus.start, entrance, "runtime")
    database = None
    if not accepts_only:
        url = settings.database_url.get_secret_value() if settings.database_url else None
        database = Database(url or f"sqlite+aiosqlite:///{settings.data.absolute()}/baton.db", clock)
        stack.push_async_callback(database.close)
        await _until_there(partial(_schema, database), entrance, "runtime")
    return Platform(settings, environ, clock, bus, database, keys)


async def _start_when_there(bus: Bus) -> None:
    """Start the log, however long it is down. Facts accepted meanwhile wait in the spool."""
    while True:
        try:
            return await bus.start()
        except Problem as problem:
            log.get("runtime").warning("log_away", reason=problem.detail)
            await asyncio.sleep(1)


async def _until_there(start: Callable[[], Awaitable[object]], entrance: Entrance, service: str) -> None:
    """Call `start` until it works. Outages are waited out, and reported in the log and at /readyz; any other error is
    raised.
    """

    async def step() -> None:
        try:
            await start()
        except Exception as error:
            if is_away(error):
                entrance.waits_for = reason(error) if isinstance(error, Problem) else _database_away(error)
            raise

    await until_back(step, service=service, task="start")
    entrance.waits_for = None


def _database_away(error: Exception) -> str:
    return f"the database does not answer ({reason(error)}). Check BATON_DATABASE_URL, and that it runs."


async def _schema(database: Database) -> None:
    """Own databases are migrated, shared ones awaited."""
    await (schema.migrate(database) if database.is_sqlite else schema.require_current(database))


def _bus(settings: Settings, clock: Clock) -> Bus:
    if settings.kafka is None:
        return EmbeddedBus(settings.data / "log.db", read_topics(), clock)
    from shared.bus.kafka import Access, KafkaBus  # noqa: PLC0415 (the client is not loaded where there is no broker)

    return KafkaBus(
        Access.of(settings),
        read_topics(),
        replication_factor=settings.kafka_replication,
        start_within_s=KAFKA_WITHIN_S,
        session_timeout_s=settings.kafka_session_s,
    )


async def _run(
    web: Web,
    services: Sequence[Service],
    supervised: Sequence[Task],
    http: Server,
    stop: asyncio.Event,
    ready: Callable[[str], None] | None,
) -> int:
    tasks = [asyncio.create_task(task.run(), name=task.name) for task in supervised]
    stopping = asyncio.create_task(stop.wait(), name="stop")
    web.open()
    announcing = asyncio.create_task(_call_when_ready(web, http.url, ready), name="ready")
    done, _ = await asyncio.wait([*tasks, http.task, stopping], return_when=asyncio.FIRST_COMPLETED)
    announcing.cancel()
    code = _exit_code(done.intersection(tasks))
    web.close()
    for close in (c for s in services for c in s.closes):
        close()
    http.server.should_exit = True
    await http.task
    for drain in (d for s in services for d in s.drains):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await drain()
    for task in (*tasks, stopping):
        task.cancel()
    await asyncio.gather(*tasks, stopping, return_exceptions=True)
    return code


async def _call_when_ready(web: Web, url: str, ready: Callable[[str], None] | None) -> None:
    """Call `ready` once every readiness check is content."""
    while any((await web.findings()).values()):  # noqa: ASYNC110 (checks ask others; there is no signal to await)
        await asyncio.sleep(READY_POLL_S)
    if ready is not None:
        ready(url)


def _exit_code(done: "set[asyncio.Task[Any]]") -> int:
    for task in done:
        error = task.exception()
        log.get("runtime").error("task_ended", task=task.get_name(), exc_info=error)
    return 1 if done else 0
