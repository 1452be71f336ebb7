"""Whole layouts in virtual time: every clock that Baton has, the database's too, is off by the same number of seconds.

`python -m tests.journeys.virtual_time FILE MODULE` runs a module whose clock is off by what FILE contains at that
moment. A step forward is like a machine that was suspended: both of its clocks go on from then. The real seconds in
between pass as ever.
"""

import asyncio
import mmap
import runpy
import struct
import sys
import time
from collections.abc import Awaitable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from deploy import layout
from deploy.local.proxy import Service
from deploy.local.service import ServiceProcess
from shared.clock import SystemClock

_SECONDS = struct.Struct("d")
_CLOCK_OF_THE_DATABASE = """
CREATE TABLE public.virtual_time (off interval NOT NULL);
INSERT INTO public.virtual_time VALUES (interval '0');
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
  'SELECT pg_catalog.clock_timestamp() + off FROM public.virtual_time';
ALTER DATABASE "{name}" SET search_path = public, pg_catalog;
"""


class VirtualTime:
    """The time of a layout: that of the processes in `file`, and that of a PostgreSQL at `database_url`, if given."""

    def __init__(self, file: Path, start_at: datetime, database_url: str | None) -> None:
        self.file = file
        self._dsn = database_url.replace("postgresql+asyncpg://", "postgresql://") if database_url else None
        self._off_s = 0.0
        if self._dsn is not None:
            asyncio.run(self._prepare())
        file.write_bytes(_SECONDS.pack(0.0))
        asyncio.run(self.go_to(start_at))

    def now(self) -> datetime:
        """What the clocks show."""
        return datetime.now(UTC) + timedelta(seconds=self._off_s)

    async def go_to(self, at: datetime) -> None:
        """Let the clocks show `at`, unless that is over."""
        if self._off_s and at <= self.now():
            return
        self._off_s = (at - datetime.now(UTC)).total_seconds()
        if self._dsn is not None:
            await self._execute("UPDATE public.virtual_time SET off = $1", timedelta(seconds=self._off_s))
        with self.file.open("r+b") as opened:
            opened.write(_SECONDS.pack(self._off_s))

    async def _prepare(self) -> None:
        assert self._dsn is not None
        await self._execute(_CLOCK_OF_THE_DATABASE.format(name=self._dsn.rpartition("/")[2]))

    async def _execute(self, statement: str, *values: object) -> None:
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()


@dataclass
class Conductor:
    """Lets time pass for stories that run side by side: once each of them waits for an instant, the first comes."""

    time: VirtualTime
    _running: int = 0
    _waiting: list[tuple[datetime, asyncio.Event]] = field(default_factory=list)

    async def run(self, *stories: Awaitable[None]) -> None:
        """Run them to their ends. Raises the first error once all are over."""
        self._running = len(stories)
        ends = await asyncio.gather(*map(self._one, stories), return_exceptions=True)
        errors = [end for end in ends if isinstance(end, Exception)]
        if errors:
            raise ExceptionGroup("stories that went wrong", errors)

    async def until(self, at: datetime) -> None:
        """Wait until the clocks show `at`."""
        come = asyncio.Event()
        self._waiting.append((at, come))
        await self._pass()
        await come.wait()

    async def _one(self, story: Awaitable[None]) -> None:
        try:
            await story
        finally:
            self._running -= 1
            await self._pass()

    async def _pass(self) -> None:
        if self._running and len(self._waiting) == self._running:
            first = min(at for at, _ in self._waiting)
            await self.time.go_to(first)
            ready = [come for at, come in self._waiting if at <= self.time.now()]
            self._waiting = [each for each in self._waiting if each[1] not in ready]
            for come in ready:
                come.set()


def run(file: Path, module: str, arguments: list[str]) -> None:
    """Run the module as a program on such a clock."""
    with file.open("rb") as opened, closing(mmap.mmap(opened.fileno(), _SECONDS.size, access=mmap.ACCESS_READ)) as off:
        began_s = _SECONDS.unpack(off)[0]

        def now(_self: SystemClock) -> datetime:
            return datetime.now(UTC) + timedelta(seconds=_SECONDS.unpack(off)[0])

        def monotonic(_self: SystemClock) -> float:
            return float(time.clock_gettime(time.CLOCK_BOOTTIME) + _SECONDS.unpack(off)[0] - began_s)

        for name, method in (("now", now), ("monotonic", monotonic)):
            setattr(SystemClock, name, method)
        setattr(layout, "ServiceProcess", _services(file))  # noqa: B010 (mypy refuses to assign to a type)
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)


def _services(file: Path) -> type[ServiceProcess]:
    class OnThisClock(ServiceProcess):
        """A service of a layout, on the clock in the file."""

        def __init__(self, service: Service, folder: Path, *, name: str, port: int, env: Mapping[str, str]) -> None:
            super().__init__(service, folder, name=name, port=port, env=env)
            self._command = [*command(file), f"services.{service}"]

    return OnThisClock


def command(file: Path) -> list[Any]:
    """What runs the module that is added to it."""
    return [sys.executable, "-m", "tests.journeys.virtual_time", str(file)]


if __name__ == "__main__":
    given, program, *rest = sys.argv[1:]
    run(Path(given), program, rest)
