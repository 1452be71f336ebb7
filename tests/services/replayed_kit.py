"""What a past comes out as in a replay, and what was recorded of it."""

import msgspec
import sqlalchemy as sa

from services.router.simulation.runner import Plan, simulate
from services.router.simulation.summary import LeadDifference, Summary
from services.sla_monitor.domain.window import Window
from tests.services.simulation_kit import Past


async def differences(lived: Past, **plan: object) -> tuple[Summary, dict[str, LeadDifference]]:
    found: dict[str, LeadDifference] = {}
    defaults = {"draft": None, "against": None, "since": None, "until": lived.clock.at}
    whole = Plan(**{**defaults, **plan})  # type: ignore[arg-type]
    summary = await simulate(lived.database, whole, each=lambda each: found.update({each.lead_id: each}))
    assert summary.differ == len(found)
    return summary, found


async def kinds_of_asks(lived: Past) -> set[str]:
    async with lived.database.read() as tx:
        proofs = (await tx.execute(sa.text("SELECT proof FROM router_verdicts"))).scalars().all()
    asks = [msgspec.json.decode(proof).get("ask") for proof in proofs]
    return {cause["kind"] for cause in asks if cause is not None}


async def missed(lived: Past) -> dict[str, list[str]]:
    """What the monitor found missed, by lead."""
    found: dict[str, list[str]] = {}
    async with lived.database.read() as tx:
        for row in await tx.execute(sa.text("SELECT lead_id, promise, body FROM sla_monitor_windows")):
            if msgspec.json.decode(row.body).get("state") == "breached":
                found.setdefault(row.lead_id, []).append(row.promise)
    return found


async def windows_of(lived: Past) -> list[tuple[int, str, str]]:
    async with lived.database.read() as tx:
        bodies = (await tx.execute(sa.text("SELECT body FROM sla_monitor_windows"))).scalars().all()
    found = [msgspec.json.decode(body, type=Window) for body in bodies]
    return sorted((each.generation, each.promise, each.state) for each in found)
