"""What a service is made of, and what it is given: the only two values that `run` and the builders exchange."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter

from shared.db.engine import Database
from shared.domain.action_links import key_of
from shared.domain.errors import Unavailable
from shared.http.asgi import Endpoint
from shared.http.keys import Keys
from shared.ports import Bus, Clock
from shared.settings import Settings

Run = Callable[[], Coroutine[Any, Any, None]]
"""Starts something, or runs until cancelled."""

Check = Callable[[], Awaitable[str | None]]
"""None if ready, else a sentence about what is missing."""

Notice = Callable[[], str | None]
"""What an operator should know although the service is ready; None when there is nothing."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What the outside gives to every service of a process."""

    settings: Settings
    environ: Mapping[str, str]
    clock: Clock
    bus: Bus
    database: Database | None
    keys: Keys

    @property
    def db(self) -> Database:
        """The database, for services that have one."""
        if self.database is None:
            raise RuntimeError("this service was built without a database")
        return self.database

    @property
    def link_key(self) -> bytes | None:
        """The key for links in messages; None without an administrator's key."""
        admin = self.settings.admin_key
        return key_of(admin.get_secret_value()) if admin is not None else None

    async def check_database(self) -> str | None:
        """Readiness: the database answers."""
        try:
            await self.db.ping()
        except Exception as error:
            return f"the database does not answer ({type(error).__name__}); check BATON_DATABASE_URL"
        return None

    async def check_bus(self) -> str | None:
        """Readiness: the event log answers."""
        try:
            await self.bus.ping()
        except Unavailable as error:
            return error.detail
        return None


@dataclass(frozen=True, slots=True)
class Service:
    """One service, built but not running.

    `endpoints` are plain ASGI apps by path prefix, `openapi` makes their OpenAPI `paths` and `schemas`; `routers` go
    into the FastAPI app, which asks for a key before it reads the body of a change, except for `viewers_may_post`
    (paths). `starts` run in order before anything else, `tasks` run until the end (a failed one is restarted),
    `drains` run in order after the server has stopped accepting requests. `checks` determine readiness; `notes` are
    shown next to them.
    """

    name: str
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    openapi: Callable[[], Mapping[str, Any]] | None = None
    routers: Sequence[APIRouter] = ()
    viewers_may_post: Sequence[str] = ()
    starts: Sequence[Run] = ()
    tasks: Mapping[str, Run] = field(default_factory=dict)
    drains: Sequence[Run] = ()
    closes: Sequence[Callable[[], None]] = ()
    checks: Mapping[str, Check] = field(default_factory=dict)
    notes: Mapping[str, Notice] = field(default_factory=dict)
