"""Notices, and the messages that they are sent in.

One transaction at a time changes them, under a lock: what is read in it stays so until it commits.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from services.delivery.domain.due_notices import Draft, DueNotice, NoticeStatus
from services.delivery.domain.notice_changes import GOES_ON, Stored
from services.delivery.domain.notice_retry import CHANNEL_TIME
from services.delivery.domain.sending_channel import SendingChannel
from services.delivery.store.tables import messages, notices, recipients
from shared.db.bulk import any_of, insert_or_skip, insert_rows, row_of, upsert_rows
from shared.db.engine import Tx
from shared.domain.ids import event_id

_LOCK = 4_243_002
_channels = msgspec.json.Decoder(tuple[SendingChannel, ...])


@dataclass(frozen=True, slots=True)
class Grouping:
    """How notices become messages: a message waits `gather_s` seconds for more, and the next one of its kind to the
    same recipient comes `interval_s` seconds later at the earliest.
    """

    interval_s: float = 60.0
    gather_s: float = 1.0


@dataclass(slots=True)
class _Open:
    """The latest message of a group while notices may join it."""

    message_id: str
    free_at: datetime
    next_at: datetime | None

    def takes(self, draft: Draft) -> bool:
        """Whether the notice may join: the message is still to be sent, and not before the notice may be."""
        return self.next_at is not None and (draft.not_before is None or draft.not_before <= self.next_at)


async def lock(tx: Tx) -> None:
    """Let one transaction at a time change notices; SQLite has a single writer anyway."""
    if tx.dialect.name == "postgresql":
        await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


async def add_notices(tx: Tx, drafts: Sequence[Draft], now: datetime, grouping: Grouping) -> int:
    """Store the notices that are not stored yet, each in a message; how many."""
    known = await _known(tx, [draft.notice.notice_id for draft in drafts])
    new = list({d.notice.notice_id: d for d in drafts if d.notice.notice_id not in known}.values())
    if not new:
        return 0
    groups = await _groups(tx, {draft.group for draft in new})
    begun: dict[str, dict[str, Any]] = {}
    rows = []
    for draft in new:
        group = groups.get(draft.group)
        if group is None or not group.takes(draft):
            group = groups[draft.group] = _begin(draft, group, now, grouping, begun)
        rows.append(_row(draft.notice, message_id=group.message_id, created_at=now))
    await insert_rows(tx, messages, list(begun.values()))
    await _share_incidents(tx, rows)
    await upsert_rows(
        tx,
        recipients,
        [{"recipient": name, "message_id": g.message_id, "free_at": g.free_at} for name, g in groups.items()],
    )
    await insert_rows(tx, notices, rows)
    return len(rows)


async def add_failed(tx: Tx, failed: Sequence[DueNotice], now: datetime) -> None:
    """Store notices that have failed at once, because there is no channel for them."""
    await insert_or_skip(tx, notices, [_row(notice, created_at=now, ended_at=now) for notice in failed])


async def stored_about(tx: Tx, window_ids: Collection[str]) -> list[Stored]:
    """The notices about these windows that are in a message: told ones first told first, others first made first."""
    if not window_ids:
        return []
    columns = [messages.c[name] for name in ("incident_id", "channels", "channel_number", "token", "unsure")]
    query = (
        sa.select(notices, *columns)
        .join(messages, messages.c.message_id == notices.c.message_id)
        .where(any_of(tx, notices.c.window_id, sorted(window_ids)))
        .order_by(sa.func.coalesce(notices.c.ended_at, notices.c.created_at), notices.c.notice_id)
    )
    return [
        Stored(
            notice_of(row),
            channel,
            row["incident_id"],
            row["incident_id"] == row["message_id"],
            unsure,
            attempted=row["token"] > 0,
        )
        for row in (await tx.execute(query)).mappings()
        for channel, unsure in _ways(row)
    ]


async def going_on(tx: Tx, message_ids: Collection[str], but_for: Collection[str], now: datetime) -> dict[str, bool]:
    """Those of the messages that are about a promise that is not over, windows `but_for` left out, and whether nobody
    has acknowledged one of these promises.
    """
    if not message_ids:
        return {}
    ours = any_of(tx, notices.c.message_id, sorted(message_ids))
    others = sa.not_(any_of(tx, notices.c.window_id, sorted(but_for)))
    not_over = sa.or_(notices.c.over.is_(None), notices.c.over.in_([over for over in GOES_ON if over]))
    unanswered = sa.or_(notices.c.by == "", notices.c.until <= now)
    query = sa.select(notices.c.message_id, sa.func.max(sa.case((unanswered, 1), else_=0)).label("unanswered"))
    rows = await tx.execute(query.where(ours, others, not_over).group_by(notices.c.message_id))
    return {row.message_id: bool(row.unanswered) for row in rows}


async def save(tx: Tx, changed: Collection[DueNotice]) -> None:
    """Store notices as they are now."""
    await upsert_rows(tx, notices, [_row(notice) for notice in changed])


def _ways(row: Mapping[Any, Any]) -> Iterator[tuple[SendingChannel, bool]]:
    """The channel that a notice is on, and the pagers that may have taken it without saying so."""
    channels, here = _channels.decode(row["channels"]), row["channel_number"]
    yield channels[here], False
    taken = here if row["state"] == "told" else None
    yield from ((channels[number], True) for number in numbers_of(row["unsure"]) if number != taken)


def numbers_of(text: str | None) -> tuple[int, ...]:
    """The numbers in a column that has them separated by commas.

    >>> numbers_of("0,2")
    (0, 2)
    """
    return tuple(map(int, text.split(","))) if text else ()


async def rounds(tx: Tx, window_ids: Collection[str]) -> dict[str, str]:
    """For each window the event of the latest acknowledgement that those who were told learned of, or of the end of a
    silence since then, if any.
    """
    begins = sa.or_(notices.c.kind == "acknowledged", notices.c.again.is_not(None))
    ours = sa.and_(any_of(tx, notices.c.window_id, sorted(window_ids)), begins)
    query = sa.select(notices.c.window_id, notices.c.event_id).where(ours).order_by(notices.c.at, notices.c.event_id)
    return {row.window_id: row.event_id for row in await tx.execute(query)}


async def notices_page(
    tx: Tx,
    *,
    state: NoticeStatus | None,
    role: str | None,
    person: str | None,
    lead_id: str | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[DueNotice]:
    """Up to `limit` notices after a position, first made first."""
    wanted = {"state": state, "role": role, "person": person, "lead_id": lead_id}
    query = sa.select(notices).where(*(notices.c[name] == value for name, value in wanted.items() if value is not None))
    if after is not None:
        query = query.where(sa.tuple_(notices.c.created_at, notices.c.notice_id) > sa.tuple_(*_literal(after)))
    query = query.order_by(notices.c.created_at, notices.c.notice_id).limit(limit)
    return [notice_of(row) for row in (await tx.execute(query)).mappings()]


async def notice_with_id(tx: Tx, notice_id: str) -> DueNotice | None:
    """The notice, if it is stored."""
    row = (await tx.execute(sa.select(notices).where(notices.c.notice_id == notice_id))).mappings().one_or_none()
    return notice_of(row) if row is not None else None


async def oldest_due(tx: Tx, now: datetime) -> datetime | None:
    """Since when the oldest notice that is not sent yet has been due; None if there is none. Those whose first attempt
    is still to come, such as after quiet hours, are not counted.
    """
    to_come = (messages.c.attempts == 0) & (messages.c.channel_number == 0) & (messages.c.next_at > now)
    query = sa.select(sa.func.min(notices.c.created_at)).outerjoin(
        messages, messages.c.message_id == notices.c.message_id
    )
    found: datetime | None = (
        await tx.execute(query.where(notices.c.state == "due", sa.not_(sa.func.coalesce(to_come, sa.false()))))
    ).scalar()
    return found


def _begin(
    draft: Draft, before: _Open | None, now: datetime, grouping: Grouping, begun: dict[str, dict[str, Any]]
) -> _Open:
    message_id = event_id(draft.notice.notice_id, prefix="ms")
    next_at = now + timedelta(seconds=grouping.gather_s)
    if before is not None:
        next_at = max(next_at, before.free_at)
    if draft.not_before is not None:
        next_at = max(next_at, draft.not_before)
    begun[message_id] = {
        "message_id": message_id,
        "incident_id": draft.incident_id,
        "window_id": draft.notice.window_id,
        "channels": msgspec.json.encode(draft.channels).decode(),
        "channel_number": 0,
        "lane": draft.channels[0].lane(draft.notice.role, draft.notice.person),
        "attempts": 0,
        "token": 0,
        "next_at": next_at,
        "leave_at": next_at + CHANNEL_TIME if len(draft.channels) > 1 else None,
        "created_at": now,
    }
    return _Open(message_id, next_at + timedelta(seconds=grouping.interval_s), next_at)


async def _share_incidents(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Give messages about several promises an incident of their own."""
    ours = any_of(tx, messages.c.message_id, sorted({row["message_id"] for row in rows}))
    query = sa.select(messages.c.message_id, messages.c.window_id).where(ours)
    first = {row.message_id: row.window_id for row in await tx.execute(query)}
    shared = sorted({row["message_id"] for row in rows if first[row["message_id"]] != row["window_id"]})
    if shared:
        own = any_of(tx, messages.c.message_id, shared)
        await tx.execute(sa.update(messages).where(own).values(incident_id=messages.c.message_id))


async def _groups(tx: Tx, names: Collection[str]) -> dict[str, _Open]:
    unsent = sa.and_(messages.c.message_id == recipients.c.message_id, messages.c.token == 0)
    query = (
        sa.select(recipients, messages.c.next_at)
        .outerjoin(messages, unsent)
        .where(any_of(tx, recipients.c.recipient, sorted(names)))
    )
    return {row.recipient: _Open(row.message_id, row.free_at, row.next_at) for row in await tx.execute(query)}


async def _known(tx: Tx, ids: Sequence[str]) -> set[str]:
    if not ids:
        return set()
    query = sa.select(notices.c.notice_id).where(any_of(tx, notices.c.notice_id, ids))
    return set((await tx.execute(query)).scalars())


def _row(notice: DueNotice, **others: Any) -> dict[str, Any]:
    return row_of(notices, notice, **others)


def notice_of(row: Mapping[Any, Any]) -> DueNotice:
    """The notice of a row."""
    return DueNotice(**{name: row[name] for name in DueNotice.__struct_fields__})


def _literal(position: tuple[datetime, str]) -> tuple[Any, Any]:
    return sa.literal(position[0], notices.c.created_at.type), sa.literal(position[1], notices.c.notice_id.type)
