"""The routing state in the database: one row that every deciding transaction locks, and what carries over to the next.

The row's token identifies the last writing transaction. A router that finds its own token still has the current state
in memory; otherwise it reloads it. So a single router reads one row per batch, and several never use stale state.
"""

from collections.abc import Mapping

import msgspec
import sqlalchemy as sa

from services.router.domain.assignment import Turns
from services.router.domain.availability import RepState
from services.router.domain.routing_state import RoutingState
from services.router.store.tables import desk, leads, pools, reps
from shared.db.bulk import insert_or_skip, upsert_rows
from shared.db.engine import Tx

_encode = msgspec.json.Encoder().encode
_decode_turns = msgspec.json.Decoder(Turns).decode
_decode_state = msgspec.json.Decoder(RepState).decode


async def lock(tx: Tx) -> tuple[str, int]:
    """Wait for the lock and hold it until the transaction ends: the token of who had it last, and the last `seq`."""
    query = sa.select(desk.c.token, desk.c.seq).with_for_update()
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        await insert_or_skip(tx, desk, [{"id": 1, "token": "", "seq": 0}])
        row = (await tx.execute(query)).one()
    return row.token, row.seq


async def load(tx: Tx, seq: int) -> RoutingState:
    """The saved routing state: turns, reps, and the number of parked leads per pool."""
    counted = sa.select(leads.c.pool, sa.func.count()).where(leads.c.state == "parked").group_by(leads.c.pool)
    return RoutingState(
        turns=await rotations(tx),
        reps=await rep_states(tx),
        waiting={row[0]: row[1] for row in await tx.execute(counted)},
        seq=seq,
    )


async def save(tx: Tx, routing: RoutingState, token: str) -> None:
    """Save what was touched, under a new token."""
    turns = [{"pool": name, "turns": _encode(routing.turns[name])} for name in sorted(routing.touched_turns)]
    await upsert_rows(tx, pools, turns)
    states = [{"rep": rep, "state": _encode(routing.reps[rep])} for rep in sorted(routing.touched_reps)]
    await upsert_rows(tx, reps, states)
    await tx.execute(sa.update(desk).values(token=token, seq=routing.seq))


async def rotations(tx: Tx) -> dict[str, Turns]:
    """The rotation of each pool."""
    return {row.pool: _decode_turns(row.turns) for row in await tx.execute(sa.select(pools))}


async def rep_states(tx: Tx) -> Mapping[str, RepState]:
    """What each rep holds, and their absences."""
    return {row.rep: _decode_state(row.state) for row in await tx.execute(sa.select(reps))}
