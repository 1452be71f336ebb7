"""How much of a promise is recorded on a lead: what ingest asks before it takes a rejection with `only_after`."""

from datetime import datetime

from fastapi import APIRouter, Response

from services.sla_monitor.domain.attempts import recorded_attempts
from services.sla_monitor.domain.persons import Persons
from services.sla_monitor.domain.watermark import watermarks
from services.sla_monitor.store import facts as fact_store
from services.sla_monitor.store import holds as hold_store
from services.sla_monitor.store import watermarks as watermark_store
from services.sla_monitor.store import windows as window_store
from services.sla_monitor.store.persons import persons_of
from shared.db.engine import Tx
from shared.domain.errors import NotFound
from shared.domain.events import ACTIVITIES
from shared.http.auth import require
from shared.http.fields import Text
from shared.http.responses import NO_STORE, json_response
from shared.ports import Bus
from shared.runtime.service import Platform


def router(platform: Platform) -> APIRouter:
    """The route; it needs a key with `leads:read`."""
    routes = APIRouter(dependencies=[require(platform.keys, "leads:read")])

    @routes.get("/v1/leads/{lead_id}/attempts")
    async def attempts(lead_id: Text, promise: Text = "attempts") -> Response:
        """How much of a promise is recorded on a lead in its present cycle, and up to when that is complete."""
        async with platform.db.read() as tx:
            persons = await persons_of(tx, [lead_id])
            heir = persons.lead_of(lead_id)
            windows = await window_store.windows_of(tx, [heir], lock=False)
            facts = persons.facts_for(heir, await fact_store.facts_of(tx, persons.ids))
            complete_until = await _complete_until(tx, persons, platform.bus)
        found = recorded_attempts(heir, promise, windows, facts, complete_until)
        if found is None:
            raise NotFound(f"Nothing is promised on this lead under the name {promise!r}, as far as is known.")
        return json_response(found, headers=NO_STORE)

    return routes


async def _complete_until(tx: Tx, persons: Persons, bus: Bus) -> datetime | None:
    """Up to when the facts under all ids of the person are complete; None if an activity could not be read."""
    if await hold_store.holds_of(tx, persons.ids):
        return None
    upto = watermarks(await watermark_store.watermarks(tx))
    found = [upto.get(bus.partition_of(ACTIVITIES, each)) for each in persons.ids]
    known = [at for at in found if at is not None]
    return min(known) if len(known) == len(found) else None
