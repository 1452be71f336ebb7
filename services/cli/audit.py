"""`./baton audit`: how promises should have ended, worked out again from the facts alone."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from services.cli.database import open_database, stored_url
from services.cli.dates import instant
from services.scoreboard.domain.audit.comparison import Finding
from services.scoreboard.domain.audit.working_time import written
from services.scoreboard.workers.auditor import MAX_LISTED, Auditor, AuditReport
from shared.db import schema
from shared.settings import Settings, read

DAYS = 7


def audited(environ: Mapping[str, str], since: str | None, until: str | None) -> AuditReport:
    """Audit the promises that are due or began on these dates (UTC), by default in the last seven days and to come.

    Raises `Misconfigured` for a date that is none, or if the database does not answer.
    """
    first, last = instant("--from", since, "UTC"), instant("--to", until, "UTC", days=1)
    return asyncio.run(_audited(stored_url(read(Settings, environ)), first, last))


async def _audited(url: str, since_at: datetime | None, until_at: datetime | None) -> AuditReport:
    async with open_database(url) as database:
        await schema.require_current(database)
        async with database.read() as tx:
            now = await database.now(tx)
        return await Auditor(database).audit(since_at or now - timedelta(days=DAYS), until_at)


def render(report: AuditReport, *, as_json: bool) -> str:
    """The report as lines for people, or as JSON."""
    if as_json:
        shown = {**msgspec.structs.asdict(report), "behind": report.behind, "clean": report.clean}
        return msgspec.json.format(msgspec.json.encode(shown)).decode()
    return "\n".join(_lines(report))


def _lines(report: AuditReport) -> Iterator[str]:
    until = f"until {written(report.until_at)}" if report.until_at is not None else "and later"
    yield f"Promises from {written(report.since_at)} {until}, as the facts call for:"
    yield f"  {report.right:7}  right"
    yield f"  {report.undecided:7}  open, not decided yet"
    yield f"  {report.different:7}  different"
    for why, count in report.not_checked.items():
        yield f"  {count:7}  not checked: {why}"
    for each in report.differences:
        yield from ("", *_difference(each))
    if report.different > len(report.differences):
        yield f"\nThe first {MAX_LISTED} differences are listed."
    if report.late:
        yield f"\n{report.late} promises should have had a verdict for ten minutes or more. Is the monitor running?"
    if report.known_upto is None:
        yield "\nIt is not known up to when all activities are there: no verdicts are due. Is ingest running?"
    elif report.behind:
        yield f"\nActivities are complete until {written(report.known_upto)} only: verdicts after that are not due yet."


def _difference(each: Finding) -> Iterator[str]:
    due = f", due {written(each.due_at)}" if each.due_at is not None else ""
    yield f"{each.promise} of {each.owner} on lead {each.lead_id}{due}"
    yield f"  expected: {each.expected}"
    yield f"  found:    {each.found}"
    yield f"  why:      {each.why}"
    yield f"  window:   {each.window_id}"
