"""Leads, and the load of each rep."""

from collections.abc import Mapping
from datetime import datetime

from fastapi import APIRouter, Response

from services.router.api.views import Limits, PoolShare, RepView, lead_view
from services.router.domain.availability import RepState, absence, today, why_not
from services.router.domain.lead import Lead
from services.router.handlers.transaction import AgreementAt
from services.router.store import leads as lead_store
from services.router.store import record
from services.router.store import routing_state as routing_store
from shared.db.engine import Tx
from shared.domain.agreement import Agreement, Person
from shared.domain.errors import NotFound
from shared.http.auth import require
from shared.http.cursor import next_cursor, read_cursor
from shared.http.fields import Cursor, Limit, Text
from shared.http.responses import json_response, page_response
from shared.runtime.service import Platform


def router(platform: Platform, agreement_at: AgreementAt) -> APIRouter:
    """The routes; all of them need a key with the scope `leads:read`."""
    database = platform.db
    routes = APIRouter(dependencies=[require(platform.keys, "leads:read")])

    @routes.get("/v1/leads/{lead_id}")
    async def lead(lead_id: Text) -> Response:
        """One lead: state, owner, score, inquiries."""
        async with database.read() as tx:
            found = await _lead(tx, lead_id)
            return json_response(lead_view(found, await record.inquiries_of(tx, lead_id)))

    @routes.get("/v1/leads")
    async def leads(
        email: Text | None = None,
        state: Text | None = None,
        owner: Text | None = None,
        campaign: Text | None = None,
        limit: Limit = 50,
        cursor: Cursor | None = None,
    ) -> Response:
        """Leads, latest change first."""
        wanted = {"email": email and email.strip().lower(), "state": state, "rep": owner, "campaign": campaign}
        filters = {name: value for name, value in wanted.items() if value}
        async with database.read() as tx:
            page = await lead_store.page(tx, filters=filters, after=read_cursor(cursor), limit=limit)
        following = next_cursor(page, limit, lambda last: (last.updated_at, last.lead_id))
        return page_response([lead_view(item) for item in page], following)

    @routes.get("/v1/reps")
    async def reps() -> Response:
        """Who can own leads, whether they can have one now, how many each one holds, and their turns in each pool."""
        async with database.read() as tx:
            now = await database.now(tx)
            states, turns = await routing_store.rep_states(tx), await routing_store.rotations(tx)
        agreed = agreement_at(now)
        taken = {name: state.taken for name, state in turns.items()}
        items = [_rep(agreed, person, states.get(person.id) or RepState(), taken, now) for person in agreed.owners]
        return page_response(items, None)

    return routes


async def _lead(tx: Tx, lead_id: str) -> Lead:
    found = await lead_store.by_id(tx, lead_id)
    if found is None:
        raise NotFound(f"There is no lead {lead_id!r}. Ids are returned by POST /v1/leads.")
    return found


def _rep(
    agreement: Agreement, person: Person, state: RepState, taken: Mapping[str, Mapping[str, int]], now: datetime
) -> RepView:
    pools = {name: pool for name, pool in agreement.pools.items() if person.id in pool.members}
    reasons = {name: why_not(person, state, pool, now) for name, pool in pools.items()}
    away = absence(person, state, now)
    reason = next(iter(reasons.values()), away.why if away is not None else None)
    current = state.day == today(person, now)
    free = any(why is None for why in reasons.values())
    return RepView(
        rep=person.id,
        available=free or (not pools and away is None and person.active),
        reason=None if free else reason,
        open=state.open,
        new_today=state.new_today if current else 0,
        hold=state.hold,
        leave=state.leave,
        limits=Limits(person.max_open, person.max_new_per_day),
        pools={
            name: PoolShare(pool.members[person.id], taken.get(name, {}).get(person.id, 0))
            for name, pool in pools.items()
        },
    )
