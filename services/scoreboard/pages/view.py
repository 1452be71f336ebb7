"""The data that pages show, from a few bounded queries. No markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from services.scoreboard.domain.assignment_reasons import why_this_rep
from services.scoreboard.domain.conservation import Conservation, conserve
from services.scoreboard.domain.day import Day, day_of, quarter_of
from services.scoreboard.domain.kpis import Kpi, kpis
from services.scoreboard.domain.leads import LeadRow
from services.scoreboard.domain.promises import EscalationRow, WindowRow
from services.scoreboard.domain.timeline_text import describe
from services.scoreboard.domain.waits import Wait
from services.scoreboard.store import lists, operations, queries, waits
from services.scoreboard.store.rows import TimelineEntry
from shared.db import pauses
from shared.db.engine import Tx
from shared.db.gaps import Gap, open_gaps
from shared.db.pauses import Pause
from shared.domain.events import (
    TYPES,
    InquiryReceived,
    LeadAssigned,
    LeadMerged,
    LeadParked,
    LeadReassigned,
    LeadRejected,
)

ROWS = 10
STORY = 100
_JUDGED = (LeadAssigned.TYPE, LeadReassigned.TYPE, LeadParked.TYPE, LeadRejected.TYPE, LeadMerged.TYPE)
COUNT_TO = 1000


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """The scoreboard as of `now`."""

    now: datetime
    zone: ZoneInfo
    day: Day
    kpis: Sequence[Kpi]
    conservation: Conservation
    gaps: Sequence[Gap]
    pauses: Sequence[Pause]
    windows: Sequence[tuple[WindowRow, LeadRow | None]]
    periods: Sequence[WindowRow]
    window_count: int
    overdue: int
    escalations: Sequence[tuple[EscalationRow, LeadRow | None]]
    escalation_count: int
    exhausted_count: int
    firing: int
    leads: Sequence[LeadRow]
    waits: waits.WaitFigures


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """An event of a timeline with its sentence; `into` is the lead that continues after a merge."""

    at: datetime
    topic: str
    type: str
    summary: str
    into: str | None


@dataclass(frozen=True, slots=True)
class LeadPage:
    """A lead's page as of `now`. `story` is the latest events, oldest first; `more` is true if older ones are left out.
    `missed` are its breached promises, the latest first, and `waits` how long the buyer waited, cycle by cycle.
    `joined` are other ids of the person, `maybe` leads that may be theirs.
    """

    now: datetime
    zone: ZoneInfo
    lead: LeadRow
    windows: Sequence[WindowRow]
    missed: Sequence[WindowRow]
    waits: Sequence[Wait]
    why: Sequence[str]
    asked: InquiryReceived | None
    story: Sequence[TimelineRow]
    more: bool
    joined: Sequence[str]
    maybe: Sequence[str]


class _Judged(msgspec.Struct):
    maybe_same_person: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WhyPage:
    """The page of a lead's proof before the proof is loaded; `cursor` is where its verdicts begin, None the newest."""

    now: datetime
    zone: ZoneInfo
    lead: LeadRow
    cursor: str | None


async def scoreboard(tx: Tx, now: datetime, zone: ZoneInfo) -> Scoreboard:
    """The scoreboard page."""
    day = day_of(now, zone)
    return Scoreboard(
        now=now,
        zone=zone,
        day=day,
        kpis=kpis(await queries.period_counts(tx, quarter_of(day.start_at), quarter_of(day.end_at))),
        conservation=conserve(await queries.conservation_counts(tx)),
        gaps=await open_gaps(tx),
        pauses=await pauses.running(tx),
        windows=await queries.open_windows(tx, limit=ROWS),
        periods=await queries.periods(tx, limit=ROWS),
        window_count=await queries.open_window_count(tx),
        overdue=await queries.overdue_count(tx, now, limit=COUNT_TO),
        escalations=await queries.open_escalations(tx, now, limit=ROWS),
        escalation_count=await queries.open_escalation_count(tx, limit=COUNT_TO),
        exhausted_count=await queries.exhausted_count(tx, limit=COUNT_TO),
        firing=await operations.firing_count(tx, now, limit=COUNT_TO),
        leads=await queries.latest_leads(tx, limit=ROWS),
        waits=await waits.figures(tx, day.start_at, day.end_at),
    )


async def lead_page(tx: Tx, lead_id: str, now: datetime, zone: ZoneInfo) -> LeadPage | None:
    """A lead's page, or None for an unknown lead."""
    entries = await queries.newest(tx, lead_id, limit=STORY + 1)
    if not entries:
        return None
    assigned = await queries.newest(tx, lead_id, limit=ROWS, types=(LeadAssigned.TYPE, LeadReassigned.TYPE))
    asked = await queries.newest(tx, lead_id, limit=1, types=(InquiryReceived.TYPE,))
    lead = await queries.lead(tx, lead_id) or LeadRow(lead_id=lead_id)
    joined = await lists.joined_to(tx, lead_id, limit=ROWS)
    return LeadPage(
        now=now,
        zone=zone,
        lead=lead,
        windows=await queries.windows_of(tx, lead_id, limit=ROWS),
        missed=await queries.missed_of(tx, lead_id, limit=ROWS),
        waits=(await waits.waits_of(tx, lead_id))[-ROWS:],
        why=_why(assigned, lead),
        asked=msgspec.json.decode(asked[0].data, type=InquiryReceived) if asked else None,
        story=[_timeline_row(entry) for entry in reversed(entries[:STORY])],
        more=len(entries) > STORY,
        joined=joined,
        maybe=[each for each in await _maybe(tx, lead_id) if each not in (lead_id, *joined)],
    )


async def _maybe(tx: Tx, lead_id: str) -> Sequence[str]:
    """The leads that the latest verdict names as maybe the same person's."""
    found = await queries.newest(tx, lead_id, limit=1, types=_JUDGED)
    return msgspec.json.decode(found[0].data, type=_Judged).maybe_same_person if found else ()


def _why(assigned: Sequence[TimelineEntry], lead: LeadRow) -> tuple[str, ...]:
    """Why the lead has its owner. Assignments of ids that became part of it since are about others."""
    if lead.owner is None:
        return ()
    events = (msgspec.json.decode(each.data, type=LeadAssigned) for each in assigned)
    latest = next((event for event in events if event.lead_id == lead.lead_id), None)
    return why_this_rep(latest) if latest is not None else ()


def _timeline_row(entry: TimelineEntry) -> TimelineRow:
    kind = TYPES[entry.type]
    event = msgspec.json.decode(entry.data, type=kind)
    into = event.into if isinstance(event, LeadMerged) else None
    return TimelineRow(entry.at, kind.TOPIC.split(".")[1], entry.type, describe(event), into)


async def why_page(tx: Tx, lead_id: str, cursor: str | None, now: datetime, zone: ZoneInfo) -> WhyPage | None:
    """The page for a lead's proof, which the browser loads from the router. None for an unknown lead."""
    lead = await queries.lead(tx, lead_id)
    return WhyPage(now, zone, lead, cursor) if lead is not None else None
