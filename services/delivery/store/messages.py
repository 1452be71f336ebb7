"""Messages: claimed under a lease, sent outside of a transaction, and recorded by token."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from services.delivery.domain.channel_choice import PAGING
from services.delivery.domain.due_notices import DueNotice, NoticeStatus
from services.delivery.domain.notice_retry import CHANNEL_TIME
from services.delivery.domain.sending_channel import SendingChannel
from services.delivery.store.notices import notice_of, numbers_of
from services.delivery.store.tables import messages, notices
from shared.db.bulk import any_of
from shared.db.engine import Tx

FIRST = 6
_channels = msgspec.json.Decoder(tuple[SendingChannel, ...])


@dataclass(frozen=True, slots=True)
class Message:
    """A message that is ours until the lease ends; only an outcome with its `token` is recorded. `late` is true if it
    has been on this channel for too long while there is another one. `lane` is the channel's endpoint. `unsure` are
    the numbers of the pagers that may have taken it without saying so.
    """

    message_id: str
    incident_id: str
    channels: tuple[SendingChannel, ...]
    channel_number: int
    attempts: int
    token: int
    lane: str
    late: bool
    unsure: tuple[int, ...] = ()

    @property
    def shared(self) -> bool:
        """Whether it has been about several promises, so that its id is its own and not that of one notice."""
        return self.incident_id == self.message_id

    @property
    def channel(self) -> SendingChannel:
        """The channel that it is on."""
        return self.channels[self.channel_number]

    @property
    def next_channel(self) -> SendingChannel | None:
        """The channel after this one; None if this is the last."""
        return next(iter(self.channels[self.channel_number + 1 :]), None)


@dataclass(frozen=True, slots=True)
class Content:
    """What a message is about: how many notices that are still due, the first of them, and whether all are about
    `several` promises.
    """

    count: int
    first: tuple[DueNotice, ...]
    several: bool


async def waiting_lanes(tx: Tx) -> list[tuple[str, datetime]]:
    """The lanes with messages to send, each with when the first is due; the longest overdue first."""
    first = sa.func.min(messages.c.next_at).label("first")
    query = sa.select(messages.c.lane, first).where(messages.c.next_at.is_not(None)).group_by(messages.c.lane)
    return [(row.lane, row.first) for row in await tx.execute(query.order_by(first))]


async def first_late(tx: Tx, lanes: Collection[str]) -> datetime | None:
    """When the first message on these lanes is to leave its channel; None if there is none."""
    if not lanes:
        return None
    later = sa.case((messages.c.leave_at > messages.c.next_at, messages.c.leave_at), else_=messages.c.next_at)
    here = any_of(tx, messages.c.lane, sorted(lanes))
    leaving = sa.and_(here, messages.c.next_at.is_not(None), messages.c.leave_at.is_not(None))
    found: datetime | None = (
        await tx.execute(sa.select(sa.type_coerce(sa.func.min(later), messages.c.next_at.type)).where(leaving))
    ).scalar()
    return found


async def claim(tx: Tx, lane: str, now: datetime, lease_until: datetime, limit: int) -> list[Message]:
    """Claim up to `limit` due messages of this lane, longest due first."""
    return await _claim(tx, messages.c.lane == lane, now, lease_until, limit)


async def claim_late(tx: Tx, lanes: Collection[str], now: datetime, lease_until: datetime, limit: int) -> list[Message]:
    """Claim up to `limit` due messages on these lanes that are to leave their channel, longest due first."""
    here = any_of(tx, messages.c.lane, sorted(lanes))
    return await _claim(tx, sa.and_(here, messages.c.leave_at <= now), now, lease_until, limit)


async def _claim(
    tx: Tx, ours: sa.ColumnElement[bool], now: datetime, lease_until: datetime, limit: int
) -> list[Message]:
    due = (
        sa.select(messages.c.message_id)
        .where(ours, messages.c.next_at <= now)
        .order_by(messages.c.next_at, messages.c.message_id)
        .limit(limit)
    )
    late = sa.func.coalesce(messages.c.leave_at <= now, sa.false()).label("late")
    names = ("message_id", "incident_id", "channels", "channel_number", "attempts", "token", "lane", "unsure")
    rows = await tx.execute(
        sa.update(messages)
        .where(messages.c.message_id.in_(due))
        .values(token=messages.c.token + 1, next_at=lease_until)
        .returning(*(messages.c[name] for name in names), late)
    )
    return sorted(map(_message, rows), key=lambda message: message.message_id)


def _message(row: Any) -> Message:
    """The claimed message. A claim of its first channel that nobody recorded may have been sent."""
    channels, unsure = _channels.decode(row.channels), set(numbers_of(row.unsure))
    lost = row.channel_number == 0 and row.token > row.attempts + 1
    if lost and channels[0].kind in PAGING:
        unsure.add(0)
    given = {"channels": channels, "late": bool(row.late), "unsure": tuple(sorted(unsure))}
    return Message(**{**row._mapping, **given})


async def contents(tx: Tx, message_ids: Sequence[str], now: datetime) -> tuple[dict[str, Content], list[DueNotice]]:
    """What the messages are about, each promise once; a message without any is left out. And the notices that were
    dropped, because their matter is over.
    """
    if not message_ids:
        return {}, []
    ours = sa.and_(any_of(tx, notices.c.message_id, message_ids), notices.c.state == "due")
    over = sa.update(notices).where(ours, notices.c.over.is_not(None))
    ended = over.values(state="dropped", reason=notices.c.over, ended_at=now).returning(*notices.c)
    dropped = [notice_of(row) for row in (await tx.execute(ended)).mappings()]
    rows = (await tx.execute(_numbered(ours))).mappings().all()
    found: dict[str, list[Mapping[Any, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["number"]):
        found.setdefault(row["message_id"], []).append(row)
    return {name: _content(each) for name, each in found.items()}, dropped


def _content(rows: Sequence[Mapping[Any, Any]]) -> Content:
    return Content(rows[0]["count"], tuple(map(notice_of, rows)), rows[0]["several"])


def _numbered(ours: sa.ColumnElement[bool]) -> "sa.Select[Any]":
    """The first notices of each message, first due first, of each window only the latest, with how many there are."""
    of_window = [notices.c.message_id, notices.c.window_id]
    place = sa.func.row_number().over(partition_by=of_window, order_by=(notices.c.at.desc(), notices.c.notice_id))
    latest = sa.select(notices, place.label("place")).where(ours).subquery()
    order = (latest.c.due_at, latest.c.notice_id)
    number = sa.func.row_number().over(partition_by=latest.c.message_id, order_by=order).label("number")
    count = sa.func.count().over(partition_by=latest.c.message_id).label("count")
    promises = [of(latest.c.promise).over(partition_by=latest.c.message_id) for of in (sa.func.min, sa.func.max)]
    several = (promises[0] != promises[1]).label("several")
    numbered = sa.select(latest, number, count, several).where(latest.c.place == 1).subquery()
    return sa.select(numbered).where(numbered.c.number <= FIRST)


async def held(tx: Tx, claimed: Sequence[Message]) -> list[Message]:
    """Those whose claim is still the latest."""
    ours = any_of(tx, messages.c.message_id, [message.message_id for message in claimed])
    query = sa.select(messages.c.message_id, messages.c.token).where(ours, messages.c.next_at.is_not(None))
    latest = {tuple(row) for row in await tx.execute(query)}
    return [message for message in claimed if (message.message_id, message.token) in latest]


async def due_notices(tx: Tx, message_ids: Collection[str]) -> dict[str, list[DueNotice]]:
    """The notices of these messages that are due, by message."""
    found: dict[str, list[DueNotice]] = {}
    query = sa.select(notices).where(any_of(tx, notices.c.message_id, sorted(message_ids)), notices.c.state == "due")
    for row in (await tx.execute(query.order_by(notices.c.due_at, notices.c.notice_id))).mappings():
        found.setdefault(row["message_id"], []).append(notice_of(row))
    return found


async def end(tx: Tx, message_id: str) -> None:
    """Send the message no more."""
    await tx.execute(sa.update(messages).where(messages.c.message_id == message_id).values(next_at=None, leave_at=None))


async def end_notices(
    tx: Tx, message: Message, state: NoticeStatus, attempts: int, reason: str | None, now: datetime
) -> None:
    """Record how the notices of a message that are still due ended, on the channel that it is on."""
    ended = {"state": state, "channel": message.channel.kind, "attempts": attempts, "reason": reason, "ended_at": now}
    ours = sa.and_(notices.c.message_id == message.message_id, notices.c.state == "due")
    await tx.execute(sa.update(notices).where(ours).values(ended))


async def try_again(tx: Tx, message: Message, why: str, next_at: datetime) -> None:
    """Send it again on the same channel."""
    own = messages.c.message_id == message.message_id
    await tx.execute(sa.update(messages).where(own).values(attempts=message.attempts + 1, next_at=next_at))
    ours = sa.and_(notices.c.message_id == message.message_id, notices.c.state == "due")
    noted = {"channel": message.channel.kind, "attempts": message.attempts + 1, "reason": why}
    await tx.execute(sa.update(notices).where(ours).values(noted))


async def note_unsure(tx: Tx, message: Message) -> None:
    """Note that the pager which the message is on may have taken it."""
    numbers = ",".join(map(str, sorted({*message.unsure, message.channel_number})))
    await tx.execute(sa.update(messages).where(messages.c.message_id == message.message_id).values(unsure=numbers))


async def move_on(tx: Tx, message: Message, lane: str, now: datetime) -> None:
    """Send it through the next channel, at once."""
    last = message.channel_number + 2 >= len(message.channels)
    moved = {
        "channel_number": message.channel_number + 1,
        "lane": lane,
        "attempts": 0,
        "next_at": now,
        "leave_at": None if last else now + CHANNEL_TIME,
    }
    await tx.execute(sa.update(messages).where(messages.c.message_id == message.message_id).values(moved))


async def give_back(tx: Tx, claimed: Sequence[Message], now: datetime) -> None:
    """Release messages that were claimed but not sent: they are due again immediately."""
    for message in claimed:
        own = sa.and_(messages.c.message_id == message.message_id, messages.c.token == message.token)
        await tx.execute(sa.update(messages).where(own, messages.c.next_at.is_not(None)).values(next_at=now))
