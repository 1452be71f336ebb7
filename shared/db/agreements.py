"""Every agreement that decisions were made under, by hash, so that an old decision can always be explained."""

from datetime import datetime

import sqlalchemy as sa

from shared import agreement_file
from shared.db.bulk import insert_or_skip
from shared.db.engine import Tx
from shared.db.tables import agreement_versions
from shared.domain.agreement import Agreement
from shared.domain.errors import NotFound


async def keep(tx: Tx, agreement: Agreement, now: datetime) -> None:
    """Store this version, unless it is stored already."""
    row = {"hash": agreement.hash, "name": agreement.name, "version": agreement.version}
    await insert_or_skip(tx, agreement_versions, [{**row, "text": agreement.text, "kept_at": now}])


async def by_hash(tx: Tx, digest: str) -> Agreement:
    """The version with this hash, parsed once per process. Raises `NotFound` for one that nobody kept."""
    known = _loaded.get(digest)
    if known is not None:
        return known
    query = sa.select(agreement_versions.c.text).where(agreement_versions.c.hash == digest)
    text = (await tx.execute(query)).scalar_one_or_none()
    if text is None:
        raise NotFound(f"no agreement with the hash {digest} is kept here")
    agreement: Agreement = agreement_file.parse(text, digest).agreement
    if len(_loaded) >= MOST_LOADED:
        _loaded.pop(next(iter(_loaded)))
    _loaded[digest] = agreement
    return agreement


MOST_LOADED = 64
_loaded: dict[str, Agreement] = {}
