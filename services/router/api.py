"""The router's doors: leads as they stand, the proof of each verdict, and the load of each rep."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Response

from services.router import store
from services.router.domain.lead import Lead
from services.router.domain.proof import explained
from shared.db import agreements
from shared.db.engine import Database
from shared.domain.agreement import Agreement
from shared.domain.errors import NotFound, Refused
from shared.http import Keys

MOST = 200


def router(database: Database, keys: Keys, agreement: Callable[[], Agreement]) -> APIRouter:
    """The routes; all of them need a key with the scope `leads:read`."""

    def reader(authorization: Annotated[str | None, Header()] = None) -> None:
        keys.authorise(authorization, "leads:read")

    routes = APIRouter(dependencies=[Depends(reader)])

    @routes.get("/v1/leads/{lead_id}")
    async def lead(lead_id: str) -> Response:
        """One lead: state, owner, score, inquiries."""
        async with database.read() as tx:
            found = await store.lead_by_id(tx, lead_id)
            if found is None:
                raise NotFound(f"There is no lead {lead_id!r}. Ids come with the answer to POST /v1/leads.")
            return _json({**_shown(found), "inquiries": await store.inquiries_of(tx, lead_id)})

    @routes.get("/v1/leads/{lead_id}/proof")
    async def proof(lead_id: str) -> Response:
        """Every verdict on this lead with all that it rests on, oldest first."""
        async with database.read() as tx:
            proofs = await store.proofs_of(tx, lead_id)
            if not proofs:
                raise NotFound(f"There is no verdict on a lead {lead_id!r}.")
            verdicts = [explained(proof, await agreements.by_hash(tx, proof.agreement.hash)) for proof in proofs]
        return _json({"lead_id": lead_id, "verdicts": verdicts})

    @routes.get("/v1/leads")
    async def leads(
        email: str | None = None,
        state: str | None = None,
        owner: str | None = None,
        campaign: str | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
        cursor: str | None = None,
    ) -> Response:
        """Leads, latest change first."""
        wanted = {"email": email and email.strip().lower(), "state": state, "rep": owner, "campaign": campaign}
        filters = {name: value for name, value in wanted.items() if value}
        async with database.read() as tx:
            page = await store.leads_page(tx, filters=filters, after=_place(cursor), most=limit)
        return _json({"items": [_shown(item) for item in page], "next_cursor": _cursor(page, limit)})

    @routes.get("/v1/reps")
    async def reps() -> Response:
        """Who can own leads, how many each one holds, and their turns in each pool."""
        now_agreed = agreement()
        async with database.read() as tx:
            open_leads, turns = await store.loads(tx), await store.rotations(tx)
        items = []
        for person in now_agreed.people.values():
            pools = {
                name: {
                    "weight": pool.members[person.id],
                    "turns": turns[name].taken.get(person.id, 0) if name in turns else 0,
                }
                for name, pool in now_agreed.pools.items()
                if person.id in pool.members
            }
            if pools:
                load = open_leads.get(person.id, 0)
                items.append({"rep": person.id, "available": True, "reason": None, "open": load, "pools": pools})
        return _json({"items": items, "next_cursor": None})

    return routes


def _shown(lead: Lead) -> dict[str, Any]:
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
    }


def _cursor(page: list[Lead], limit: int) -> str | None:
    if len(page) < limit:
        return None
    return f"{round(page[-1].updated_at.timestamp() * 1_000_000)}.{page[-1].lead_id}"


def _place(cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    instant, _, lead_id = cursor.partition(".")
    if not instant.isdigit() or not lead_id:
        raise Refused("Give the next_cursor of the page before, as it came.", pointer="/cursor")
    return datetime.fromtimestamp(int(instant) / 1_000_000, UTC), lead_id


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
