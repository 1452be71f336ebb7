"""Stepped clocks: `python -m tests.torture.clocks FILE services.NAME` runs a service whose clock is always off by the
number of seconds that FILE contains at that moment, and for which that of the database is off by the second number."""

import mmap
import runpy
import struct
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.clock import SystemClock
from shared.db.engine import Database, Tx

_SECONDS = struct.Struct("dd")


def step(file: Path, seconds: float, database_s: float = 0.0) -> None:
    """From now on the clocks that read this file are off by so much. Creates the file."""
    with file.open("r+b" if file.exists() else "wb") as opened:
        opened.write(_SECONDS.pack(seconds, database_s))


def run(file: Path, module: str) -> None:
    """Run the module as a program with such a clock."""
    with file.open("rb") as opened:
        off = mmap.mmap(opened.fileno(), _SECONDS.size, access=mmap.ACCESS_READ)

    def now(_self: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=_SECONDS.unpack(off)[0])

    of_database = Database.now

    async def database_now(self: Database, tx: Tx) -> datetime:
        return await of_database(self, tx) + timedelta(seconds=_SECONDS.unpack(off)[1])

    setattr(Database, "now", database_now)  # noqa: B010 (mypy refuses to assign to a method)
    setattr(SystemClock, "now", now)  # noqa: B010 (mypy refuses to assign to a method)
    runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    given, program, *rest = sys.argv[1:]
    sys.argv = [sys.argv[0], *rest]
    run(Path(given), program)
