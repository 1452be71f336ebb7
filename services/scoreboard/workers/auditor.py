"""Audits promises: works out from the timeline how each should have ended, and compares that with the monitor's record.

It runs in the scoreboard, because the scoreboard reads every event itself and goes on when the monitor does not. The
work of an audit is bounded by its time range: it reads a page of promises at a time and waits between pages.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from time import perf_counter
from typing import NoReturn

import msgspec

from services.scoreboard.domain.audit.comparison import Finding, finding_on, findings
from services.scoreboard.domain.audit.persons import persons_of
from services.scoreboard.domain.audit.record import Record
from services.scoreboard.store import audits
from services.scoreboard.store.audits import AuditRow, Place
from services.scoreboard.workers.period_audit import period_findings
from shared import log, metrics
from shared.db.claim import Claim
from shared.db.engine import Database
from shared.domain.agreement_versions import version_in_force
from shared.domain.events import InquiryReceived, LeadAssigned, LeadParked
from shared.runtime.backoff import until_back

PAGE = 100
MAX_LISTED = 1_000
"""How many differences a report lists; all are counted."""
LOOKS = 3
LOOK_AGAIN_S = 1.5
BEHIND_AFTER = timedelta(minutes=10)
"""How far facts may be behind before an audit is not clean."""
KEEP = timedelta(days=30)
TOLERANCE = timedelta(seconds=2)
"""The tolerance of promises that are not stored, where none is there to show it: the monitor's default."""
_SHARE = 0.25
"""The share of its time that a running audit works."""
_PageOf = Callable[..., Awaitable[list[tuple[datetime, str, str]]]]


class AuditReport(msgspec.Struct, kw_only=True):
    """The result of an audit of promises that are due or began since `since_at`, before `until_at` if it is set.

    `right`, `undecided` and `different` count promises; `late` are undecided ones that should have had a verdict for
    ten minutes, `not_checked` counts others by reason. Facts were complete `known_upto`. At most 1,000 `differences`
    are listed.
    """

    since_at: datetime
    until_at: datetime | None
    finished_at: datetime
    known_upto: datetime | None = None
    right: int = 0
    undecided: int = 0
    late: int = 0
    different: int = 0
    not_checked: dict[str, int] = msgspec.field(default_factory=dict)
    differences: list[Finding] = msgspec.field(default_factory=list)

    @property
    def behind(self) -> bool:
        """Whether facts are too far behind for verdicts."""
        return self.known_upto is None or self.known_upto < self.finished_at - BEHIND_AFTER

    @property
    def clean(self) -> bool:
        """Whether everything that could be checked is right, and nothing is late."""
        return not self.different and not self.late and not self.behind


class Auditor:
    """Audits in pages. `pause` is awaited after each page, with the seconds that it took; `look_again_s` is the time
    until another look at a difference.
    """

    def __init__(
        self,
        database: Database,
        *,
        pause: Callable[[float], Awaitable[None]] | None = None,
        look_again_s: float = LOOK_AGAIN_S,
    ) -> None:
        self._database = database
        self._pause = pause
        self._look_again_s = look_again_s

    async def audit(self, since_at: datetime, until_at: datetime | None) -> AuditReport:
        """Check every promise that is due or began in this time. A difference counts if it is still there at the last
        of three looks, because services may have been at work on it.
        """
        async with self._database.read() as tx:
            report = AuditReport(since_at=since_at, until_at=until_at, finished_at=await self._database.now(tx))
        reasons: Counter[str] = Counter()
        doubtful: dict[str, Finding] = {}
        async for finding in self._findings(since_at, until_at):
            if finding.status == "different":
                report.different += 1
                if len(doubtful) < MAX_LISTED:
                    doubtful[finding.window_id] = finding
            else:
                self._add(report, finding, reasons)
        report.different -= len(doubtful)
        for finding in await self._again(doubtful):
            self._add(report, finding, reasons)
        report.not_checked = dict(reasons.most_common())
        async with self._database.read() as tx:
            report.finished_at = await self._database.now(tx)
            report.known_upto = await audits.known_upto(tx)
        return report

    def _add(self, report: AuditReport, finding: Finding, reasons: "Counter[str]") -> None:
        if finding.status == "different":
            report.different += 1
            report.differences.append(finding)
        elif finding.status == "not checked":
            reasons[finding.why] += 1
        elif finding.status == "undecided":
            report.undecided += 1
            report.late += finding.late
        else:
            report.right += 1

    async def _again(self, doubtful: dict[str, Finding]) -> Sequence[Finding]:
        settled: list[Finding] = []
        for _ in range(LOOKS - 1):
            if not doubtful:
                break
            await asyncio.sleep(self._look_again_s)
            pages = [[*doubtful.items()][at : at + PAGE] for at in range(0, len(doubtful), PAGE)]
            for page in pages:
                found = await self._look({each.lead_id for _, each in page})
                for window_id, _ in page:
                    now = found.get(window_id)
                    if now is None or now.status != "different":
                        del doubtful[window_id]
                        settled += [now] if now is not None else []
                    else:
                        doubtful[window_id] = now
        return [*doubtful.values(), *settled]

    async def _findings(self, since_at: datetime, until_at: datetime | None) -> AsyncIterator[Finding]:
        """First what is there, by its deadline; then what should be there, by when it began."""
        async for rows in self._pages(audits.due_page, since_at, until_at):
            found = await self._look({lead_id for _, _, lead_id in rows})
            for _, window_id, _ in rows:
                if window_id in found:
                    yield found[window_id]
        missing: set[str] = set()
        async for rows in self._pages(audits.owed_page, since_at, until_at):
            found = await self._look({lead_id for _, _, lead_id in rows})
            for each in found.values():
                if each.missing and each.window_id not in missing and len(missing) < MAX_LISTED:
                    missing.add(each.window_id)
                    yield each

    async def _pages(
        self, page_of: _PageOf, since_at: datetime, until_at: datetime | None
    ) -> AsyncIterator[list[tuple[datetime, str, str]]]:
        after: Place | None = None
        while True:
            began = perf_counter()
            async with self._database.read() as tx:
                rows = await page_of(tx, since_at, until_at, after, limit=PAGE)
            if rows:
                yield rows
                after = rows[-1][:2]
            if self._pause is not None:
                await self._pause(perf_counter() - began)
            if len(rows) < PAGE:
                return

    async def _look(self, lead_ids: Collection[str]) -> dict[str, Finding]:
        """What there is to say about all promises on these leads, by window."""
        async with self._database.read() as tx:
            history = await audits.history(tx, lead_ids)
            if history is None and len(lead_ids) > 1:
                each = [await self._look([lead_id]) for lead_id in lead_ids]
                return {window_id: finding for found in each for window_id, finding in found.items()}
            windows = await audits.windows_of(tx, lead_ids)
            if history is None:
                why = "the person's history is too long"
                return {each.window_id: finding_on(each, "not checked", why=why) for each in windows.values()}
            refs = [e.agreement for e in history.events if isinstance(e, LeadAssigned | LeadParked)]
            refs += [each.agreement for each in windows.values() if each.agreement is not None]
            watched = await audits.watched(tx)
            asked = (each.accepted_at for each in history.events if isinstance(each, InquiryReceived))
            in_force = (version_in_force(watched.versions, at) for at in asked)
            hashes = {*(ref.hash for ref in refs), *(each.hash for each in in_force if each is not None)}
            agreements = await audits.agreements_of(tx, hashes)
            record = Record(
                windows=windows,
                announced=history.announced,
                fired=await audits.fired_levels(tx, windows.keys()),
                known_upto=await audits.known_upto(tx),
                now=await self._database.now(tx),
                tolerance=TOLERANCE,
                watched=watched,
                notes=history.notes,
            )
        persons = persons_of(history.events, history.reported)
        of_periods = [each for each in windows.values() if each.period is not None]
        leads = [each for each in lead_ids if each not in {window.lead_id for window in of_periods}]
        found = [each for lead_id in leads for each in findings(lead_id, persons, agreements, record)]
        found += await period_findings(self._database, of_periods, agreements, record)
        return {each.window_id: each for each in found}


class RunningAuditor:
    """Audits the last `hours` every `every_s` seconds, in one process at a time, and saves each result."""

    def __init__(self, database: Database, *, every_s: float, hours: float) -> None:
        self._database = database
        self._auditor = Auditor(database, pause=_rest)
        self._claim = Claim(database, "scoreboard_audit")
        self._every_s = every_s
        self._hours = timedelta(hours=hours)
        self._log = log.get("scoreboard")

    async def run(self) -> NoReturn:
        """Audit until cancelled. Outages are waited out."""
        while True:
            await until_back(self._show, service="scoreboard", task="auditor")
            await asyncio.sleep(self._every_s)
            await until_back(self._audit_if_ours, service="scoreboard", task="auditor")

    async def _audit_if_ours(self) -> None:
        try:
            if await self._claim.held():
                await self.audit()
        finally:
            await self._claim.release()

    async def _show(self) -> None:
        """Set the metrics by the last results, whichever process they are from."""
        async with self._database.read() as tx:
            last, clean_at = await audits.last_audits(tx)
        metrics.audit_differences.set(last.differences if last is not None else 0)
        metrics.audit_late.set(last.late if last is not None else 0)
        metrics.audit_last_clean.set(clean_at.timestamp() if clean_at is not None else 0)

    async def audit(self) -> None:
        """Audit once, and save the result."""
        async with self._database.read() as tx:
            now = await self._database.now(tx)
        report = await self._auditor.audit(now - self._hours, now)
        row = AuditRow(
            finished_at=report.finished_at,
            since_at=report.since_at,
            checked=report.right + report.undecided + report.different,
            differences=report.different,
            late=report.late,
            not_checked=sum(report.not_checked.values()),
            clean=report.clean,
        )
        async with self._database.begin() as tx:
            await audits.save_audit(tx, row, keep=KEEP)
        if not report.clean:
            names = [each.window_id for each in report.differences[:10]]
            self._log.error(
                "audit_not_clean", differences=report.different, late=report.late, behind=report.behind, windows=names
            )


async def _rest(took_s: float) -> None:
    await asyncio.sleep(took_s * (1 / _SHARE - 1))
