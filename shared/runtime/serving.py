"""The HTTP server of a process: it listens from the first instant on, within the limits of its connections."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import uvicorn

from shared.domain.errors import Misconfigured
from shared.http.entrance import Entrance
from shared.runtime.connections import BACKLOG, Connection, Connections, limits_for_this_process
from shared.settings import Settings

DRAIN_S = 10
IDLE_S = 30
"""Longer than common HTTP clients (httpx: 5 s) and our reverse proxy (20 s) reuse a connection, so that none sends on
one that is being closed."""


@dataclass(frozen=True, slots=True)
class Server:
    """The running HTTP server, its task, and where it answers."""

    server: uvicorn.Server
    task: "asyncio.Task[None]"
    url: str


def _listen(settings: Settings) -> socket.socket:
    """Bind the port first, so that a port in use is reported before anything else starts."""
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


@contextlib.asynccontextmanager
async def serving(entrance: Entrance, settings: Settings) -> AsyncIterator[Server]:
    """Start serving. While services wait for dependencies, the probes say so."""
    listener = _listen(settings)
    connections = Connections(limits_for_this_process())
    server = _server(entrance, connections)
    url = f"http://{settings.host}:{listener.getsockname()[1]}"
    task = asyncio.create_task(server.serve(sockets=[listener]), name="serve")
    sweeping = asyncio.create_task(connections.sweep(), name="sweep")
    try:
        yield Server(server, task, url)
    finally:
        server.should_exit = True
        await task
        sweeping.cancel()
        await asyncio.wait([sweeping])


def _server(entrance: Entrance, connections: Connections) -> uvicorn.Server:
    config = uvicorn.Config(
        entrance,
        http=partial(Connection, connections=connections),  # type: ignore[arg-type]
        ws="none",
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=DRAIN_S,
        timeout_keep_alive=IDLE_S,
        server_header=False,
        proxy_headers=False,
    )
    return uvicorn.Server(config)
