"""Stores every version of the agreement by hash, so that old decisions can be explained and parallel processes use the
same version.

The agreements of pilots are stored too. They are found by hash and never come into force by themselves.
"""

import dataclasses
import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from shared import agreement_file
from shared.db.bulk import insert_or_skip
from shared.db.engine import Tx
from shared.db.tables import agreement_versions as table
from shared.domain.agreement import Agreement
from shared.domain.agreement_versions import Version, version_in_force
from shared.domain.approvals import Approval
from shared.domain.errors import Misconfigured, NotFound

MAX_LOADED = 64
_LOCK = sa.text("SELECT pg_advisory_xact_lock(4021961)")
_loaded: dict[str, Agreement] = {}


async def lock(tx: Tx) -> None:
    """Serialize storing of versions until `tx` ends. SQLite has a single writer anyway."""
    if tx.dialect.name == "postgresql":
        await tx.execute(_LOCK)


async def save(tx: Tx, agreement: Agreement, now: datetime) -> None:
    """Store this version and those of its pilots, unless they are stored already."""
    pilots = {pilot.agreement.hash: pilot.agreement for pilot in agreement.pilots}
    pilots.pop(agreement.hash, None)
    rows = [_row(agreement, now, None), *(_row(pilot, now, agreement.hash) for pilot in pilots.values())]
    await insert_or_skip(tx, table, rows)
    # A pilot's draft may become the agreement itself, unchanged.
    own = (table.c.hash == agreement.hash) & table.c.pilot_of.is_not(None)
    await tx.execute(sa.update(table).where(own).values(pilot_of=None))


async def versions(tx: Tx, name: str | None = None) -> list[Version]:
    """The versions of the agreement `name`, or of all agreements, oldest first; pilots left out."""
    columns = [table.c[field.name] for field in dataclasses.fields(Version)]
    query = sa.select(*columns).where(table.c.pilot_of.is_(None))
    if name is not None:
        query = query.where(table.c.name == name)
    query = query.order_by(table.c.effective_from, table.c.version, table.c.kept_at)
    found = await tx.execute(query)
    return [Version(**{**row._mapping, "approved_by": _approvals(row.approved_by)}) for row in found]


async def newest(tx: Tx) -> tuple[int, datetime | None]:
    """How many versions are stored, and when the last one was: something else as soon as another one is. Pilots left
    out.
    """
    query = sa.select(sa.func.count(), sa.func.max(table.c.kept_at)).where(table.c.pilot_of.is_(None))
    count, kept_at = (await tx.execute(query)).one()
    return count, kept_at


async def in_force(tx: Tx, now: datetime) -> Agreement | None:
    """The stored agreement in force; None if there is none, or if this version of Baton cannot read it."""
    current = version_in_force(await versions(tx), now)
    try:
        return await by_hash(tx, current.hash) if current is not None else None
    except Misconfigured:
        return None


async def activate(tx: Tx, digest: str, now: datetime) -> bool:
    """Record that this version is in force; returns whether this is the first time."""
    new = (table.c.hash == digest) & table.c.activated_at.is_(None)
    return (await tx.execute(sa.update(table).where(new).values(activated_at=now))).rowcount == 1


async def by_hash(tx: Tx, digest: str) -> Agreement:
    """The version with this hash, parsed once per process, with the public holidays that were known when it was stored.
    Raises `NotFound` if it is not stored.
    """
    known = _loaded.get(digest)
    return known if known is not None else await tx.run_sync(by_hash_on, digest)


def by_hash_on(connection: sa.Connection, digest: str) -> Agreement:
    """The same under `tx.run_sync`."""
    known = _loaded.get(digest)
    if known is not None:
        return known
    query = sa.select(table.c.text, table.c.drafts, table.c.holidays).where(table.c.hash == digest)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"no agreement with the hash {digest} is stored")
    agreement: Agreement = agreement_file.parse(
        row.text, digest, json.loads(row.drafts), holidays=_holidays(row.holidays)
    ).agreement
    if len(_loaded) >= MAX_LOADED:
        _loaded.pop(next(iter(_loaded)))
    _loaded[digest] = agreement
    return agreement


async def by_version(tx: Tx, name: str, version: int) -> Agreement:
    """The agreement `name` in this version; the latest if it was stored twice. Raises `NotFound`."""
    own = (table.c.name == name) & (table.c.version == version) & table.c.pilot_of.is_(None)
    query = sa.select(table.c.hash).where(own).order_by(table.c.kept_at.desc()).limit(1)
    digest = (await tx.execute(query)).scalar_one_or_none()
    if digest is None:
        raise NotFound(f"no version {version} of the agreement {name} is stored")
    return await by_hash(tx, digest)


def _row(agreement: Agreement, now: datetime, pilot_of: str | None) -> Mapping[str, Any]:
    approved_by = {side: {"name": a.name, "on": a.on.isoformat()} for side, a in agreement.approved_by.items()}
    return {
        "hash": agreement.hash,
        "name": agreement.name,
        "version": agreement.version,
        "text": agreement.text,
        "drafts": json.dumps(dict(agreement.files)),
        "approved_by": json.dumps(approved_by),
        "holidays": json.dumps({key: [on.isoformat() for on in days] for key, days in agreement.holidays.items()}),
        "effective_from": agreement.effective_from,
        "kept_at": now,
        "pilot_of": pilot_of,
    }


def _holidays(text: str | None) -> Mapping[str, tuple[date, ...]]:
    found = json.loads(text or "{}")
    return {key: tuple(map(date.fromisoformat, days)) for key, days in found.items()}


def _approvals(text: str) -> Mapping[str, Approval]:
    return {side: Approval(a["name"], date.fromisoformat(a["on"])) for side, a in json.loads(text).items()}
