"""Pilots, both arms side by side: leads under the draft next to the others (live), or what the draft would have decided
in addition to what was decided (shadow). Open to whoever may look at pages.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from services.router.api.leads import answer
from services.router.handlers.transaction import AgreementAt
from services.router.store import pilots as store
from shared.db.engine import Tx
from shared.domain.agreement import Pilot
from shared.http.auth import may_view
from shared.runtime.service import Platform

SHOWN = 50


def router(platform: Platform, agreement_at: AgreementAt) -> APIRouter:
    """The route."""

    def viewer(request: Request) -> None:
        may_view(request.scope, platform.settings, platform.keys)

    routes = APIRouter(dependencies=[Depends(viewer)])

    @routes.get("/v1/pilots")
    async def pilots() -> Response:
        """The pilots of the agreement in force, each with the same figures for both of its arms."""
        async with platform.db.read() as tx:
            agreed = agreement_at(await platform.db.now(tx))
            items = [await (_live if each.mode == "live" else _shadow)(tx, each) for each in agreed.pilots]
        return answer({"items": items, "next_cursor": None})

    return routes


async def _live(tx: Tx, pilot: Pilot) -> dict[str, Any]:
    since = await store.first_lead_at(tx, pilot.name)
    arms = {}
    if since is not None:
        arms = {
            "draft": _figures(await store.arm(tx, pilot.name, inside=True, since=since)),
            "in_force": _figures(await store.arm(tx, pilot.name, inside=False, since=since)),
        }
    return {**_named(pilot), "since": since, "arms": arms}


async def _shadow(tx: Tx, pilot: Pilot) -> dict[str, Any]:
    counts = await store.shadow_counts(tx, pilot.name)
    return {**_named(pilot), "arms": counts, "differing": await store.differing(tx, pilot.name, SHOWN)}


def _named(pilot: Pilot) -> dict[str, Any]:
    return {"pilot": pilot.name, "mode": pilot.mode, "agreement": pilot.agreement.ref}


def _figures(counts: dict[str, int]) -> dict[str, Any]:
    """Counts with the shares that both teams know: of leads that qualify, and of those with sales' word on them that
    sales accepts. No data is null, never 0.
    """
    judged = counts["accepted"] + counts["rejected_by_sales"]
    shares = {
        "qualified_share": _share(counts["qualified"], counts["leads"]),
        "accepted_share": _share(counts["accepted"], judged),
        "win_rate": _share(counts["won"], counts["won"] + counts["lost"]),
    }
    return {**counts, **shares}


def _share(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(Decimal("0.0001"), ROUND_HALF_EVEN) if whole else None
