"""Leads as they stand, and the load of each rep."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Response

from services.router.domain.availability import RepState, absence, today, why_not
from services.router.domain.lead import Lead
from services.router.handlers.transaction import AgreementAt
from services.router.store import leads as lead_store
from services.router.store import record
from services.router.store import routing_state as routing_store
from shared.db.engine import Tx
from shared.domain.agreement import Agreement, Person
from shared.domain.errors import NotFound
from shared.http.cursor import read_cursor, write_cursor
from shared.http.fields import Cursor, Text
from shared.runtime.service import Platform

MAX_PAGE = 200


def router(platform: Platform, agreement_at: AgreementAt) -> APIRouter:
    """The routes; all of them need a key with the scope `leads:read`."""
    database = platform.db

    def reader(authorization: Annotated[str | None, Header()] = None) -> None:
        platform.keys.authorise(authorization, "leads:read")

    routes = APIRouter(dependencies=[Depends(reader)])

    @routes.get("/v1/leads/{lead_id}")
    async def lead(lead_id: Text) -> Response:
        """One lead: state, owner, score, inquiries."""
        async with database.read() as tx:
            found = await _lead(tx, lead_id)
            return answer({**shown_lead(found), "inquiries": await record.inquiries_of(tx, lead_id)})

    @routes.get("/v1/leads")
    async def leads(
        email: Text | None = None,
        state: Text | None = None,
        owner: Text | None = None,
        campaign: Text | None = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        cursor: Cursor | None = None,
    ) -> Response:
        """Leads, latest change first."""
        wanted = {"email": email and email.strip().lower(), "state": state, "rep": owner, "campaign": campaign}
        filters = {name: value for name, value in wanted.items() if value}
        async with database.read() as tx:
            page = await lead_store.page(tx, filters=filters, after=read_cursor(cursor), limit=limit)
        return answer({"items": [shown_lead(item) for item in page], "next_cursor": _cursor(page, limit)})

    @routes.get("/v1/reps")
    async def reps() -> Response:
        """Who can own leads, whether they can have one now, how many each one holds, and their turns in each pool."""
        async with database.read() as tx:
            now = await database.now(tx)
            states, turns = await routing_store.rep_states(tx), await routing_store.rotations(tx)
        agreed = agreement_at(now)
        taken = {name: state.taken for name, state in turns.items()}
        items = [
            _rep(agreed, person, states.get(person.id) or RepState(), taken, now)
            for person in agreed.people.values()
            if person.calendar is not None
        ]
        return answer({"items": items, "next_cursor": None})

    return routes


def answer(value: Any) -> Response:
    """JSON, as all doors of the router give it."""
    return Response(msgspec.json.encode(value), media_type="application/json")


def shown_lead(lead: Lead) -> dict[str, Any]:
    """A lead as the contract has it."""
    owner = None
    if lead.rep is not None:
        owner = {
            "rep": lead.rep,
            "pool": lead.pool,
            "assignment_id": lead.assignment_id,
            "generation": lead.generation,
            "assigned_at": lead.assigned_at,
            "respond_by": lead.respond_by,
        }
    return {
        "lead_id": lead.lead_id,
        "version": lead.version,
        "state": lead.state,
        "stage": lead.stage,
        "score": lead.score,
        "reason": lead.reason,
        "contact": lead.contact,
        "company": lead.company,
        "owner": owner,
        "agreement": {"name": lead.agreement.name, "version": lead.agreement.version, "hash": lead.agreement.hash},
        "updated_at": lead.updated_at,
        "cycle": lead.cycle,
        "into": lead.into,
        "pilot": lead.pilot,
        "parked_at": lead.parked_at,
        "waits_for": lead.pool if lead.state == "parked" else None,
    }


async def _lead(tx: Tx, lead_id: str) -> Lead:
    found = await lead_store.by_id(tx, lead_id)
    if found is None:
        raise NotFound(f"There is no lead {lead_id!r}. Ids come with the answer to POST /v1/leads.")
    return found


def _rep(
    agreement: Agreement, person: Person, state: RepState, taken: Mapping[str, Mapping[str, int]], now: datetime
) -> dict[str, Any]:
    pools = {name: pool for name, pool in agreement.pools.items() if person.id in pool.members}
    reasons = {name: why_not(person, state, pool, now) for name, pool in pools.items()}
    away = absence(person, state, now)
    reason = next(iter(reasons.values()), away.why if away is not None else None)
    current = state.day == today(person, now)
    return {
        "rep": person.id,
        "available": any(why is None for why in reasons.values()) or (not pools and away is None and person.active),
        "reason": None if any(why is None for why in reasons.values()) else reason,
        "open": state.open,
        "new_today": state.new_today if current else 0,
        "hold": state.hold,
        "leave": state.leave,
        "limits": {"max_open": person.max_open, "max_new_per_day": person.max_new_per_day},
        "pools": {
            name: {"weight": pool.members[person.id], "turns": taken.get(name, {}).get(person.id, 0)}
            for name, pool in pools.items()
        },
    }


def _cursor(page: list[Lead], limit: int) -> str | None:
    if len(page) < limit:
        return None
    return write_cursor(page[-1].updated_at, page[-1].lead_id)
