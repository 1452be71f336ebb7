"""Silences and overrides of the duty rota that operators made, next to those of the agreement."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec
import sqlalchemy as sa

from services.sla_monitor.domain.arrangements import Arrangements
from services.sla_monitor.store import tables
from shared.db.engine import Tx
from shared.domain.duty import Shift
from shared.domain.silences import Silence

SilenceStatus = Literal["active", "coming", "over"]


class MadeSilence(msgspec.Struct, frozen=True, kw_only=True):
    """A silence, who made it, and who ended it early."""

    silence_id: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    by: str
    made_at: datetime
    promise: str | None = None
    owner: str | None = None
    pool: str | None = None
    side: str | None = None
    ended_by: str | None = None


class MadeOverride(msgspec.Struct, frozen=True, kw_only=True):
    """Who is a role for a while, whatever the duty rota says, and who said so."""

    override_id: str
    role: str
    person: str
    starts_at: datetime
    ends_at: datetime
    by: str
    made_at: datetime


async def arrangements_at(tx: Tx, now: datetime) -> Arrangements:
    """What is arranged for an instant. None of these silences can be ended before the transaction is, so that its end
    finds all that it kept silent. Read them before windows are locked: the end of a silence locks these after it.
    """
    made = tables.silences.c
    active = sa.select(tables.silences).where((made.starts_at <= now) & (made.ends_at > now)).order_by(made.made_at)
    active = active.with_for_update(read=True)
    silences = tuple([_silence(_made(row)) for row in await tx.execute(active)])
    return Arrangements(silences, shifts(await overrides_from(tx, now)))


def shifts(overrides: Sequence[MadeOverride]) -> Mapping[str, tuple[Shift, ...]]:
    """The overrides of each role, those that were made first in front."""
    found: dict[str, tuple[Shift, ...]] = {}
    for each in overrides:
        found[each.role] = (*found.get(each.role, ()), Shift(each.person, each.starts_at, each.ends_at))
    return found


async def overrides_from(tx: Tx, now: datetime) -> list[MadeOverride]:
    """All overrides that are not over, those that were made first in front."""
    made = tables.overrides.c
    query = sa.select(tables.overrides).where(made.ends_at > now).order_by(made.made_at, made.override_id)
    return [MadeOverride(**row._mapping) for row in await tx.execute(query)]


async def save_override(tx: Tx, made: MadeOverride) -> None:
    """Save an override."""
    await tx.execute(sa.insert(tables.overrides).values(**msgspec.structs.asdict(made)))


async def delete_override(tx: Tx, role: str, override_id: str) -> bool:
    """Delete an override; whether there was one."""
    mine = (tables.overrides.c.override_id == override_id) & (tables.overrides.c.role == role)
    return (await tx.execute(sa.delete(tables.overrides).where(mine))).rowcount == 1


async def save_silence(tx: Tx, made: MadeSilence) -> None:
    """Save a silence."""
    await tx.execute(sa.insert(tables.silences).values(**msgspec.structs.asdict(made)))


async def silence(tx: Tx, silence_id: str) -> MadeSilence | None:
    """One silence; None if there is none."""
    row = (await tx.execute(sa.select(tables.silences).where(tables.silences.c.silence_id == silence_id))).one_or_none()
    return _made(row) if row is not None else None


async def silence_to_change(tx: Tx, silence_id: str) -> MadeSilence | None:
    """One silence, locked until the transaction ends; None if there is none."""
    query = sa.select(tables.silences).where(tables.silences.c.silence_id == silence_id).with_for_update()
    row = (await tx.execute(query)).one_or_none()
    return _made(row) if row is not None else None


async def end_silence(tx: Tx, silence_id: str, *, by: str, now: datetime) -> None:
    """Save that a silence is over now."""
    mine = tables.silences.c.silence_id == silence_id
    await tx.execute(sa.update(tables.silences).where(mine).values(ends_at=now, ended_by=by))


async def silences_page(
    tx: Tx, *, state: SilenceStatus | None, now: datetime, after: tuple[datetime, str] | None, limit: int
) -> list[MadeSilence]:
    """Silences, those that begin first in front."""
    made = tables.silences.c
    conditions = {
        "active": (made.starts_at <= now) & (made.ends_at > now),
        "coming": made.starts_at > now,
        "over": made.ends_at <= now,
    }
    query = sa.select(tables.silences).order_by(made.starts_at, made.silence_id).limit(limit)
    if state is not None:
        query = query.where(conditions[state])
    if after is not None:
        query = query.where(sa.tuple_(made.starts_at, made.silence_id) > after)
    return [_made(row) for row in await tx.execute(query)]


def _made(row: sa.Row[tuple[object, ...]]) -> MadeSilence:
    return MadeSilence(**row._mapping)


def _silence(made: MadeSilence) -> Silence:
    return Silence(
        made.starts_at, made.ends_at, made.reason, made.promise, made.owner, made.pool, made.side, made.silence_id
    )
