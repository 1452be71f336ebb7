"""The router's record as a replay reads it: what belongs together, in order, a page at a time."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from services.router.domain.availability import AvailabilityChange
from services.router.domain.formats import OLDEST_FORMAT
from services.router.domain.lead import InquiryCopy, LeadsRejudged
from services.router.domain.proof import Inquiries, ReassignReason, VerdictKind
from services.router.store.tables import journal, verdicts
from shared.db.engine import Database, Instant
from shared.domain.events import ActivityRecorded, AgreementRef, InquiryReceived, PromiseSegment
from shared.domain.lead import LeadStage, LeadState

PAGE = 500


class RecordedLead(msgspec.Struct, frozen=True):
    """What a replay needs of a lead in a proof."""

    lead_id: str
    state: LeadState
    cycle: int = 1


class RecordedTurn(msgspec.Struct, frozen=True):
    """What a replay needs of a turn in a proof."""

    pool: str
    why: str


class RecordedAccount(msgspec.Struct, frozen=True):
    """What a replay needs of a company's owner in a proof."""

    pool: str


class RecordedVerdict(msgspec.Struct, frozen=True):
    """What a replay needs of a proof; the rest is not even decoded."""

    verdict: VerdictKind
    reason: str
    agreement: AgreementRef
    decided_at: datetime
    inquiry: InquiryReceived | None = None
    stage: LeadStage = ""
    score: int = 0
    rule: str | None = None
    turn: RecordedTurn | None = None
    rep: str | None = None
    ask: ReassignReason | None = None
    before: RecordedLead | None = None
    same_person: tuple[RecordedLead, ...] = ()
    account: RecordedAccount | None = None
    pilot: str | None = None
    in_force: AgreementRef | None = None
    stays: LeadState | None = None
    again: bool = False
    withdrawn_at: datetime | None = None
    inquiries: Inquiries | None = None
    segments: tuple[PromiseSegment, ...] = ()
    format: int = OLDEST_FORMAT


class RecordRow(msgspec.Struct, frozen=True):
    """One entry of the record, made at `at`: a verdict on `lead_id`, a fact, an absence, a copy of an inquiry that
    backdated leads, leads that were judged again, or a tick.
    """

    seq: int
    at: datetime
    lead_id: str | None = None
    verdict: RecordedVerdict | None = None
    fact: ActivityRecorded | None = None
    absence: AvailabilityChange | None = None
    copy: InquiryCopy | None = None
    rejudged: LeadsRejudged | None = None
    tick: bool = False

    @property
    def cause(self) -> ReassignReason | None:
        """Why the lead was to change hands, if it is a verdict on that."""
        return self.verdict.ask if self.verdict is not None else None


_verdict = msgspec.json.Decoder(RecordedVerdict).decode
_fact = msgspec.json.Decoder(ActivityRecorded).decode
_absence = msgspec.json.Decoder(AvailabilityChange).decode
_copy = msgspec.json.Decoder(InquiryCopy).decode
_rejudged = msgspec.json.Decoder(LeadsRejudged).decode


async def last_seq(database: Database) -> int:
    """How far the record goes."""
    async with database.read() as tx:
        ends = [
            (await tx.execute(sa.select(sa.func.max(table.c.seq)))).scalar_one_or_none()
            for table in (verdicts, journal)
        ]
    return max(end or 0 for end in ends)


async def transactions(database: Database, until: datetime) -> AsyncIterator[list[RecordRow]]:
    """The record up to `until`, in order, grouped by transaction, which has a single instant."""
    together: list[RecordRow] = []
    after = 0
    while True:
        async with database.read() as tx:
            found = [_row(row) for row in await tx.execute(_page(after))]
        if not found:
            break
        after = found[-1].seq
        for row in found:
            if together and row.at != together[0].at:
                yield together
                together = []
            if row.at > until:
                return
            together.append(row)
    if together:
        yield together


def _page(after: int) -> sa.Select[Any]:
    # Each side is limited to a page before they are merged, so that both use their index.
    nothing = sa.cast(sa.null(), Instant).label("at")
    one = sa.select(
        verdicts.c.seq, sa.literal("verdict").label("kind"), nothing, verdicts.c.lead_id, verdicts.c.proof.label("body")
    )
    no_lead = sa.cast(sa.null(), sa.Text).label("lead_id")
    other = sa.select(journal.c.seq, journal.c.kind, journal.c.at, no_lead, journal.c.body)
    halves = [
        half.where(seq > after).order_by(seq).limit(PAGE).subquery()
        for half, seq in ((one, verdicts.c.seq), (other, journal.c.seq))
    ]
    both = sa.union_all(*(sa.select(half) for half in halves)).subquery()
    return sa.select(both).order_by(both.c.seq).limit(PAGE)


def _row(row: Any) -> RecordRow:
    if row.kind == "verdict":
        verdict = _verdict(row.body)
        return RecordRow(row.seq, verdict.decided_at, row.lead_id, verdict)
    if row.kind == "activity":
        return RecordRow(row.seq, row.at, fact=_fact(row.body))
    if row.kind == "availability":
        return RecordRow(row.seq, row.at, absence=_absence(row.body))
    if row.kind == "copy":
        return RecordRow(row.seq, row.at, copy=_copy(row.body))
    if row.kind == "rejudged":
        return RecordRow(row.seq, row.at, rejudged=_rejudged(row.body))
    return RecordRow(row.seq, row.at, tick=row.kind == "tick")


def agreements_named(rows: Iterable[RecordRow]) -> set[str]:
    """The hashes of the agreements that these verdicts were made under, and of those that were in force."""
    named = [(row.verdict.agreement, row.verdict.in_force) for row in rows if row.verdict is not None]
    return {each.hash for pair in named for each in pair if each is not None}


def in_order(rows: Sequence[RecordRow]) -> Iterator[Sequence[RecordRow]]:
    """What was recorded at one instant, facts that were read before the inquiries by themselves."""
    first = next((number for number, row in enumerate(rows) if row.fact is None), len(rows))
    yield from (part for part in (rows[:first], rows[first:]) if part)


def new_inquiries(rows: Sequence[RecordRow]) -> list[InquiryReceived]:
    """The inquiries that were new then: what was judged again follows from a fact, or from a split."""
    if any(row.verdict is not None and row.verdict.verdict == "split" for row in rows):
        return []
    judged = [row.verdict for row in rows if row.verdict is not None and row.verdict.ask is None]
    return [each.inquiry for each in judged if each.inquiry is not None and not each.again]
