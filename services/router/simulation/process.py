"""Runs a simulation for a page in a separate process, so that a large draft or a long record does not slow other
requests. CPU time, memory and the response are bounded, one simulation runs at a time, and it ends when its client
disconnects.
"""

import asyncio
import resource
import signal
import sys
from collections.abc import Mapping
from datetime import datetime
from os import nice
from pathlib import Path
from typing import Any

import msgspec

from services.router.simulation.record_reader import last_seq
from services.router.simulation.report import text
from services.router.simulation.runner import Plan, simulate
from shared import agreement_file
from shared.agreement_file import AgreementRefused
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.domain.errors import Refused, Unavailable

MAX_ENTRIES = 200_000
"""Entries of the record that are replayed for a page; the command knows no bound."""
MAX_CPU_S = 60
"""CPU time, so that the result does not depend on how busy the machine is."""
MAX_S = 300.0
MAX_MEMORY = 2 << 30
MAX_FINDINGS = 50
_ROOT = Path(__file__).parents[3]
_BY_COMMAND = "Run './baton agreement simulate --with FILE'."


class Wanted(msgspec.Struct, frozen=True):
    """A draft, the texts of its pilots' agreements by name, from and until when, and on which database."""

    url: str
    draft: str
    drafts: Mapping[str, str]
    since: datetime | None
    until: datetime
    max_entries: int = MAX_ENTRIES
    max_cpu_s: int = MAX_CPU_S


class Outcome(msgspec.Struct, frozen=True):
    """The summary as plain values with its `text`, or why there is none."""

    summary: dict[str, Any] | None = None
    refused: str = ""


class Simulations:
    """Starts the process, and waits for it."""

    def __init__(self, max_s: float = MAX_S) -> None:
        self._max_s = max_s
        self._running = False

    async def run(self, wanted: Wanted) -> dict[str, Any]:
        """The summary. Raises Refused for a draft that does not load or takes too long, and Unavailable while another
        simulation runs. Ends the process when cancelled.
        """
        if self._running:
            raise Unavailable("Another simulation is running. Try again when it has ended.", retry_after_s=10)
        self._running = True
        try:
            outcome = await self._outcome(wanted)
        finally:
            self._running = False
        if outcome.summary is None:
            raise Refused(outcome.refused)
        return outcome.summary

    async def _outcome(self, wanted: Wanted) -> Outcome:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, cwd=_ROOT, stdin=pipe, stdout=pipe
        )
        try:
            async with asyncio.timeout(self._max_s):
                written, _ = await process.communicate(msgspec.msgpack.encode(wanted))
        except TimeoutError:
            return Outcome(refused=f"The simulation took longer than {self._max_s:g} s. {_BY_COMMAND}")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == -signal.SIGXCPU:
            took = f"The simulation took more than {wanted.max_cpu_s} s of processor time."
            return Outcome(refused=f"{took} {_BY_COMMAND}")
        if process.returncode != 0:
            raise Unavailable(f"The simulation ended early (exit code {process.returncode}). {_BY_COMMAND}")
        return msgspec.msgpack.decode(written, type=Outcome)


async def _simulated(wanted: Wanted) -> Outcome:
    try:
        agreement = agreement_file.parse(wanted.draft, "draft.yaml", wanted.drafts).agreement
    except AgreementRefused as refused:
        return Outcome(refused=_first_findings(refused))
    database = Database(wanted.url, SystemClock(), pool_size=1)
    try:
        length = await last_seq(database)
        if length > wanted.max_entries:
            too_long = f"The record has {length:,} entries, and a page simulates at most {wanted.max_entries:,}."
            return Outcome(refused=f"{too_long} {_BY_COMMAND}")
        summary = await simulate(database, Plan(agreement, None, wanted.since, wanted.until))
    finally:
        await database.close()
    return Outcome({**msgspec.to_builtins(summary), "text": text(summary)})


def _first_findings(refused: AgreementRefused) -> str:
    lines = refused.detail.split("\n")
    more = len(lines) - MAX_FINDINGS
    return "\n".join(lines[:MAX_FINDINGS]) + (f"\n... and {more:,} more" if more > 0 else "")


def main() -> None:
    """Read the request and write the result."""
    nice(5)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    wanted = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Wanted)
    resource.setrlimit(resource.RLIMIT_CPU, (wanted.max_cpu_s, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    sys.stdout.buffer.write(msgspec.msgpack.encode(asyncio.run(_simulated(wanted))))


if __name__ == "__main__":
    main()
