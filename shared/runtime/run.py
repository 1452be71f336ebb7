"""Starts services in one process, serves them, and drains on SIGINT or SIGTERM.

Crash-only: nothing that must be right depends on an orderly stop; draining only makes it quick and quiet. A task
that fails is started again while the others go on. Should one end all the same, the process ends with exit code 1, so
that its supervisor starts it again.
"""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import uvicorn

from shared import log
from shared.bus.embedded import EmbeddedBus
from shared.bus.topics import read_topics
from shared.clock import SystemClock
from shared.db import schema
from shared.db.engine import Database
from shared.db.outages import is_outage
from shared.domain.errors import Misconfigured, Problem
from shared.http import Keys, refuse_weak_admin_key
from shared.ports import Bus, Clock
from shared.runtime.connections import BACKLOG, Connection, Connections, limits_for_this_process
from shared.runtime.outage import until_back
from shared.runtime.service import Platform, Service
from shared.runtime.task import Task
from shared.runtime.web import Web
from shared.settings import Settings, read, refuse_unread, service_links

Build = Callable[[Platform], Service]
DRAIN_S = 10
START_TRIES = 60
READY_POLL_S = 0.05


def main(
    builders: Sequence[Build],
    environ: Mapping[str, str],
    *,
    accepts_only: bool = False,
    ready: Callable[[str], None] | None = None,
) -> int:
    """Run the services until told to stop; returns the exit code. A start that can't work prints one line and
    returns 2. With `accepts_only` there is no database, and the doors open even while the event log is away.
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
    listener = _listen(settings)
    async with contextlib.AsyncExitStack() as stack:
        starting = asyncio.create_task(_start(stack, builders, settings, environ, accepts_only=accepts_only))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([starting, stopped], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait([starting])
            return 0
        platform, services = await starting
        tasks = [Task(f"{s.name}.{name}", run) for s in services for name, run in s.tasks.items()]
        web = Web(platform, services, tasks)
        # What was made so far stays: each search of it for garbage took 100 ms, in which nobody was served. Cycles are
        # rare, and batches of thousands of rows are not worth a search each (measured: 4 us a lead).
        gc.freeze()
        gc.set_threshold(5_000, 20, 20)
        return await _serve(web, services, tasks, settings, listener, stop, ready)


async def _start(
    stack: contextlib.AsyncExitStack,
    builders: Sequence[Build],
    settings: Settings,
    environ: Mapping[str, str],
    *,
    accepts_only: bool,
) -> tuple[Platform, list[Service]]:
    platform = await _platform(stack, settings, environ, accepts_only=accepts_only)
    services = [build(platform) for build in builders]
    for service in services:
        for start in service.starts:
            await until_back(start, service=service.name, task="start")
    return platform, services


async def _platform(
    stack: contextlib.AsyncExitStack, settings: Settings, environ: Mapping[str, str], *, accepts_only: bool
) -> Platform:
    clock = SystemClock()
    bus = _bus(settings, clock)
    stack.push_async_callback(bus.close)
    if accepts_only:
        starting = asyncio.create_task(_start_when_there(bus), name="log")
        stack.callback(starting.cancel)
    else:
        await bus.start()
    database = None
    if not accepts_only:
        url = settings.database_url.get_secret_value() if settings.database_url else None
        database = Database(url or f"sqlite+aiosqlite:///{settings.data.absolute()}/baton.db", clock)
        stack.push_async_callback(database.close)
        await _schema(database)
    keys = Keys.load(settings)
    if not settings.loopback and not keys:
        raise Misconfigured(
            "BATON_HOST opens Baton to other machines: set BATON_ADMIN_KEY first, so that it asks for keys."
        )
    return Platform(settings, environ, clock, bus, database, keys)


async def _start_when_there(bus: Bus) -> None:
    """Start the log, however long it is away; what is accepted meanwhile waits in the spool."""
    while True:
        try:
            return await bus.start()
        except Problem as problem:
            log.get("runtime").warning("log_away", reason=problem.detail)
            await asyncio.sleep(1)


async def _schema(database: Database) -> None:
    """Own databases are migrated, shared ones awaited; one that is away is waited for a minute."""
    for left in range(START_TRIES, -1, -1):
        try:
            await (schema.migrate(database) if database.is_sqlite else schema.wait_until_migrated(database))
            return
        except Exception as error:
            if not is_outage(error):
                raise
            if not left:
                kind = type(error).__name__
                reason = f"the database does not answer ({kind}). Check BATON_DATABASE_URL, and that it runs."
                raise Misconfigured(reason) from error
            await asyncio.sleep(1)


def _bus(settings: Settings, clock: Clock) -> Bus:
    if settings.kafka is None:
        return EmbeddedBus(settings.data / "log.db", read_topics(), clock)
    from shared.bus.kafka import Access, KafkaBus  # noqa: PLC0415 (the client is not loaded where there is no broker)

    return KafkaBus(
        Access.of(settings),
        read_topics(),
        replication_factor=settings.kafka_replication,
        session_timeout_s=settings.kafka_session_s,
    )


def _listen(settings: Settings) -> socket.socket:
    """Take the port first, so that a taken one is said before anything else starts."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as wrong:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        raise Misconfigured(
            f"can't listen on {where} ({wrong.strerror}). Set BATON_PORT to a free port, or stop what uses it."
        ) from wrong
    return listener


def _server(web: Web, connections: Connections) -> uvicorn.Server:
    config = uvicorn.Config(
        web,
        http=partial(Connection, connections=connections),  # type: ignore[arg-type]
        ws="none",
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=DRAIN_S,
        server_header=False,
        proxy_headers=False,
    )
    return uvicorn.Server(config)


async def _serve(
    web: Web,
    services: Sequence[Service],
    supervised: Sequence[Task],
    settings: Settings,
    listener: socket.socket,
    stop: asyncio.Event,
    ready: Callable[[str], None] | None,
) -> int:
    connections = Connections(limits_for_this_process())
    server = _server(web, connections)
    tasks = [asyncio.create_task(task.run(), name=task.name) for task in supervised]
    sweeping = asyncio.create_task(connections.sweep(), name="sweep")
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="serve")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    web.open()
    url = f"http://{settings.host}:{listener.getsockname()[1]}"
    telling = asyncio.create_task(_tell(web, url, ready), name="tell")
    done, _ = await asyncio.wait([*tasks, serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    telling.cancel()
    code = _exit_code(done.intersection(tasks))
    web.close()
    for close in (c for s in services for c in s.closes):
        close()
    server.should_exit = True
    await serving
    for drain in (d for s in services for d in s.drains):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await drain()
    for task in (*tasks, stopping, sweeping):
        task.cancel()
    await asyncio.gather(*tasks, stopping, sweeping, return_exceptions=True)
    return code


async def _tell(web: Web, url: str, ready: Callable[[str], None] | None) -> None:
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
