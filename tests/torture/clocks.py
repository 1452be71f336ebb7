"""Stepped clocks: `python -m tests.torture.clocks FILE services.NAME` runs a service whose clock is always off by the
number of seconds that FILE contains at that moment."""

import mmap
import runpy
import struct
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.clock import SystemClock

_SECONDS = struct.Struct("d")


def step(file: Path, seconds: float) -> None:
    """From now on the clock that reads this file is off by so much. Creates the file."""
    with file.open("r+b" if file.exists() else "wb") as opened:
        opened.write(_SECONDS.pack(seconds))


def run(file: Path, module: str) -> None:
    """Run the module as a program with such a clock."""
    with file.open("rb") as opened:
        off = mmap.mmap(opened.fileno(), _SECONDS.size, access=mmap.ACCESS_READ)

    def now(_self: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=_SECONDS.unpack(off)[0])

    setattr(SystemClock, "now", now)  # noqa: B010 (mypy refuses to assign to a method)
    runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    sys.argv, (given, program) = sys.argv[:1], sys.argv[1:]
    run(Path(given), program)
