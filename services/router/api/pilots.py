"""Pilots with both arms: leads under the draft and all others (live), or what the draft would have decided and what was
decided (shadow). Open to everyone who may view pages.
"""

from decimal import ROUND_HALF_EVEN, Decimal

from fastapi import APIRouter, Response

from services.router.api.views import LivePilotView, ShadowPilotView
from services.router.handlers.transaction import AgreementAt
from services.router.store import pilots as store
from shared.db.engine import Tx
from shared.domain.agreement import Pilot
from shared.http.auth import require_viewer
from shared.http.responses import page_response
from shared.runtime.service import Platform

SHOWN = 50


def router(platform: Platform, agreement_at: AgreementAt) -> APIRouter:
    """The route."""
    routes = APIRouter(dependencies=[require_viewer(platform.settings, platform.keys)])

    @routes.get("/v1/pilots")
    async def pilots() -> Response:
        """The pilots of the agreement in force, each with the same figures for both of its arms."""
        async with platform.db.read() as tx:
            agreed = agreement_at(await platform.db.now(tx))
            items = [await _view(tx, pilot) for pilot in agreed.pilots]
        return page_response(items, None)

    return routes


async def _view(tx: Tx, pilot: Pilot) -> LivePilotView | ShadowPilotView:
    return await _live(tx, pilot) if pilot.mode == "live" else await _shadow(tx, pilot)


async def _live(tx: Tx, pilot: Pilot) -> LivePilotView:
    since = await store.first_lead_at(tx, pilot.name)
    arms = {}
    if since is not None:
        arms = {
            "draft": _figures(await store.arm(tx, pilot.name, inside=True, since=since)),
            "in_force": _figures(await store.arm(tx, pilot.name, inside=False, since=since)),
        }
    return LivePilotView(pilot.name, pilot.mode, pilot.agreement.ref, since, arms)


async def _shadow(tx: Tx, pilot: Pilot) -> ShadowPilotView:
    counts = await store.shadow_counts(tx, pilot.name)
    differing = await store.differing(tx, pilot.name, SHOWN)
    return ShadowPilotView(pilot.name, pilot.mode, pilot.agreement.ref, counts, differing)


def _figures(counts: dict[str, int]) -> dict[str, int | Decimal | None]:
    """Counts with two shares: of leads that qualify, and of leads judged by sales that sales accepts. Without data a
    share is null, never 0.
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
