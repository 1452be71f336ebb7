"""What the pages show, gathered in a few bounded queries: plain values, no markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from services.scoreboard import store
from services.scoreboard.domain.conservation import Conservation, conserve
from services.scoreboard.domain.day import Day, day_of, quarter_of
from services.scoreboard.domain.funnel import Step, funnel
from services.scoreboard.domain.leads import Lead
from services.scoreboard.domain.promises import Escalation, Window
from services.scoreboard.domain.reasons import why_this_rep
from services.scoreboard.domain.summaries import summarise
from shared.db.engine import Tx
from shared.domain.events import TYPES, InquiryReceived, LeadAssigned, LeadReassigned

ROWS = 10
STORY = 100
COUNT_TO = 1000


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """Everything on the first page, as of `now`."""

    now: datetime
    zone: ZoneInfo
    day: Day
    steps: Sequence[Step]
    conservation: Conservation
    windows: Sequence[tuple[Window, Lead | None]]
    window_count: int
    overdue: int
    escalations: Sequence[tuple[Escalation, Lead | None]]
    escalation_count: int
    leads: Sequence[Lead]


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a story, with its sentence."""

    at: datetime
    topic: str
    type: str
    summary: str


@dataclass(frozen=True, slots=True)
class LeadPage:
    """Everything on a lead's page, as of `now`; `story` is the latest events, oldest first, `more` whether older ones
    are left out.
    """

    now: datetime
    zone: ZoneInfo
    lead: Lead
    windows: Sequence[Window]
    why: Sequence[str]
    asked: InquiryReceived | None
    story: Sequence[Told]
    more: bool


async def scoreboard(tx: Tx, now: datetime, zone: ZoneInfo) -> Scoreboard:
    """The first page."""
    day = day_of(now, zone)
    return Scoreboard(
        now=now,
        zone=zone,
        day=day,
        steps=funnel(await store.period_counts(tx, quarter_of(day.start_at), quarter_of(day.end_at))),
        conservation=conserve(await store.conservation_counts(tx)),
        windows=await store.open_windows(tx, most=ROWS),
        window_count=await store.open_window_count(tx),
        overdue=await store.overdue_count(tx, now, most=COUNT_TO),
        escalations=await store.open_escalations(tx, most=ROWS),
        escalation_count=await store.open_escalation_count(tx, most=COUNT_TO),
        leads=await store.latest_leads(tx, most=ROWS),
    )


async def lead_page(tx: Tx, lead_id: str, now: datetime, zone: ZoneInfo) -> LeadPage | None:
    """A lead's page; None when nothing was ever heard of it."""
    entries = await store.newest(tx, lead_id, most=STORY + 1)
    if not entries:
        return None
    assigned = await store.newest(tx, lead_id, most=1, types=(LeadAssigned.TYPE, LeadReassigned.TYPE))
    asked = await store.newest(tx, lead_id, most=1, types=(InquiryReceived.TYPE,))
    lead = await store.lead(tx, lead_id) or Lead(lead_id=lead_id)
    return LeadPage(
        now=now,
        zone=zone,
        lead=lead,
        windows=await store.windows_of(tx, lead_id, most=ROWS),
        why=_why(assigned, lead),
        asked=msgspec.json.decode(asked[0].data, type=InquiryReceived) if asked else None,
        story=[_told(entry) for entry in reversed(entries[:STORY])],
        more=len(entries) > STORY,
    )


def _why(assigned: Sequence[store.Entry], lead: Lead) -> tuple[str, ...]:
    if not assigned or lead.owner is None:
        return ()
    return why_this_rep(msgspec.json.decode(assigned[0].data, type=LeadAssigned))


def _told(entry: store.Entry) -> Told:
    kind = TYPES[entry.type]
    event = msgspec.json.decode(entry.data, type=kind)
    return Told(entry.at, kind.TOPIC.split(".")[1], entry.type, summarise(event))
