"""`./baton agreement simulate`: past leads under another agreement."""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import typer

from services.cli.agreement import load_file
from services.cli.database import open_database, stored_url
from services.cli.dates import instant
from services.router.simulation.report import DifferenceFile, page, text
from services.router.simulation.runner import Each, Plan, Progress, simulate
from services.router.simulation.summary import Summary
from services.sla_monitor.settings import MonitorSettings
from shared.agreements import store as agreements
from shared.db import schema
from shared.db.engine import Database
from shared.domain.agreement import Agreement
from shared.domain.errors import Misconfigured, NotFound
from shared.settings import Settings, read


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """`draft` None replays the versions that were in force; `against` None compares with the record."""

    draft: Path | None
    against: int | None = None
    since: str | None = None
    until: str | None = None
    csv: Path | None = None
    html: Path | None = None


def simulation_text(environ: Mapping[str, str], options: SimulateOptions) -> str:
    """Simulate, write the files, and return the result in words. Raises `Misconfigured` if the draft is refused, a date
    or a version is invalid, or the database does not answer.
    """
    draft = load_file(options.draft) if options.draft is not None else None
    return text(asyncio.run(_simulated(environ, options, draft)))


async def _simulated(environ: Mapping[str, str], options: SimulateOptions, draft: Agreement | None) -> Summary:
    async with open_database(stored_url(read(Settings, environ))) as database:
        await schema.require_current(database)
        plan = await _plan(environ, database, options, draft)
        with ExitStack() as stack:
            each = stack.enter_context(_each(options.csv))
            progress = stack.enter_context(_progress())
            summary = await simulate(database, plan, each=each, progress=progress)
    if options.html is not None:
        _write(options.html, page(summary))
    return summary


async def _plan(
    environ: Mapping[str, str], database: Database, options: SimulateOptions, draft: Agreement | None
) -> Plan:
    async with database.read() as tx:
        now = await database.now(tx)
        stored = await agreements.versions(tx)
        in_force = next((v for v in reversed(stored) if v.effective_from <= now), None)
        against = None
        if options.against is not None:
            name = draft.name if draft is not None else in_force.name if in_force is not None else ""
            try:
                against = await agreements.by_version(tx, name, options.against)
            except NotFound as missing:
                numbers = ", ".join(str(v.version) for v in stored if v.name == name) or "none"
                raise Misconfigured(f"{missing.detail}. Stored versions: {numbers}.") from missing
        zone = draft.timezone if draft is not None else "UTC"
    return Plan(
        draft=draft,
        against=against,
        since=instant("--since", options.since, zone),
        until=instant("--until", options.until, zone, days=1) or now,
        tolerance=timedelta(seconds=read(MonitorSettings, environ).tolerance_s),
    )


@contextmanager
def _each(file: Path | None) -> Iterator[Each]:
    if file is None:
        yield lambda _: None
        return
    try:
        with file.open("w", newline="", encoding="utf-8") as writing:
            yield DifferenceFile(writing).add
    except OSError as wrong:
        raise Misconfigured(f"{file} can't be written ({wrong.strerror}). Choose another file.") from wrong


@contextmanager
def _progress() -> Iterator[Progress]:
    """A progress bar on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    with typer.progressbar(length=1, label="replaying", file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield show


def _write(file: Path, content: str) -> None:
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as wrong:
        raise Misconfigured(f"{file} can't be written ({wrong.strerror}). Choose another file.") from wrong
