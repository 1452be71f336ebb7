"""Pilots with both arms: the leads in the pilot's scope on which its draft decided first, and those in the same scope
on which the agreement in force did. In shadow also what the draft would have decided. Open to everyone who may view
pages.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from fastapi import APIRouter, Response

from services.router.api.views import ArmView, LivePilotView, ShadowPilotView
from services.router.handlers.transaction import AgreementAt
from services.router.store import pilots as store
from services.router.store.pilots import LeadGroup
from shared.db.engine import Tx
from shared.domain.agreement import PILOT_DAYS, Pilot
from shared.domain.events import PilotArm
from shared.http.auth import require_viewer
from shared.http.responses import page_response
from shared.runtime.service import Platform

SHOWN = 50
_COUNTED = ("leads", "qualified", "rejected", "parked", "accepted", "won", "lost", "rejected_by_sales")


def router(platform: Platform, agreement_at: AgreementAt) -> APIRouter:
    """The route."""
    routes = APIRouter(dependencies=[require_viewer(platform.settings, platform.keys)])

    @routes.get("/v1/pilots")
    async def pilots() -> Response:
        """The pilots of the agreement in force, each with the same figures for both of its arms: leads received in the
        last `PILOT_DAYS` days.
        """
        async with platform.db.read() as tx:
            now = await platform.db.now(tx)
            agreed, since = agreement_at(now), now - timedelta(days=PILOT_DAYS)
            groups = await store.leads_in_arms(tx, since) if agreed.pilots else []
            items = [
                _live(pilot, groups) if pilot.mode == "live" else await _shadow(tx, pilot, groups, since)
                for pilot in agreed.pilots
            ]
        return page_response(items, None)

    return routes


def _live(pilot: Pilot, groups: Sequence[LeadGroup]) -> LivePilotView:
    arms = _arms(pilot.name, groups)
    since = arms["draft"].first_at if arms else None
    return LivePilotView(pilot.name, pilot.mode, pilot.agreement.ref, since, arms)


async def _shadow(tx: Tx, pilot: Pilot, groups: Sequence[LeadGroup], since: datetime) -> ShadowPilotView:
    counts = await store.shadow_counts(tx, pilot.name, since)
    differing = await store.differing(tx, pilot.name, since, SHOWN)
    decided = _arms(pilot.name, groups)
    return ShadowPilotView(pilot.name, pilot.mode, pilot.agreement.ref, counts, differing, decided)


def _arms(pilot: str, groups: Sequence[LeadGroup]) -> Mapping[str, ArmView]:
    """The figures of both arms; empty without leads."""
    draft = [group for group in groups if PilotArm(pilot, "draft") in group.arms]
    in_force = [group for group in groups if PilotArm(pilot, "in_force") in group.arms]
    return {"draft": _figures(draft), "in_force": _figures(in_force)} if draft or in_force else {}


def _figures(groups: Sequence[LeadGroup]) -> ArmView:
    counts = dict.fromkeys(_COUNTED, 0)
    for group in groups:
        for name in _counted(group):
            counts[name] += group.leads
    return ArmView(
        **counts,
        qualified_share=_share(counts["qualified"], counts["leads"]),
        accepted_share=_share(counts["accepted"], counts["accepted"] + counts["rejected_by_sales"]),
        win_rate=_share(counts["won"], counts["won"] + counts["lost"]),
        first_at=min((group.first_at for group in groups), default=None),
        last_at=max((group.last_at for group in groups), default=None),
    )


def _counted(group: LeadGroup) -> Iterator[str]:
    yield "leads"
    yield "rejected" if group.state == "rejected" else "qualified"
    if group.state == "parked":
        yield "parked"
    if group.stage in ("sal", "sql", "opportunity", "customer"):
        yield "accepted"
    if group.outcome in ("won", "lost"):
        yield group.outcome
    if group.outcome == "rejected":
        yield "rejected_by_sales"


def _share(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(Decimal("0.0001"), ROUND_HALF_EVEN) if whole else None
