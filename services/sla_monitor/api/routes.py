"""The monitor's doors: promises as they run, escalations and who has taken them on, and two words of an operator that
only a person can say: this instance is gone for good, and this unreadable record was seen to."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
import pydantic
from fastapi import APIRouter, Depends, Header, Query, Response

from services.sla_monitor.domain import announcements
from services.sla_monitor.domain.escalation import Escalation, acknowledged
from services.sla_monitor.domain.window import Window
from services.sla_monitor.handlers import release
from services.sla_monitor.store import escalations as escalation_store
from services.sla_monitor.store import holds as hold_store
from services.sla_monitor.store import watermarks as watermark_store
from services.sla_monitor.store import windows as window_store
from services.sla_monitor.store.tables import tables
from shared import log
from shared.agreement_file.text.values import read_length
from shared.db import outbox
from shared.db.engine import Database
from shared.domain.errors import NotFound, Problem, Refused
from shared.http.auth import Keys
from shared.http.cursor import read_cursor, write_cursor
from shared.http.fields import Body, Cursor, Text
from shared.runtime.service import WakeUp

MAX_PAGE = 200
_log = log.get("sla_monitor")

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


class Over(Problem):
    """There is nothing left to take on."""

    status = 409
    title = "The escalation is closed"


class Acknowledgement(Body):
    """Who takes an escalation on, and for how long; without `for`, until it is closed."""

    by: str = pydantic.Field(min_length=1, max_length=200)
    for_: str | None = pydantic.Field(default=None, alias="for", examples=["30 minutes"])


def router(database: Database, keys: Keys, *, changed: Sequence[WakeUp]) -> APIRouter:
    """The routes. Reading needs a key with `leads:read`, the others one with `operate`; `changed` is set after them."""
    routes = APIRouter()
    routes.include_router(_reading(database, keys))
    routes.include_router(_acknowledging(database, keys, changed))
    routes.include_router(_unblocking(database, keys, changed))
    return routes


def _needs(keys: Keys, scope: str) -> Any:
    def check(authorization: Annotated[str | None, Header()] = None) -> None:
        keys.authorise(authorization, scope)

    return Depends(check)


def _reading(database: Database, keys: Keys) -> APIRouter:
    routes = APIRouter(dependencies=[_needs(keys, "leads:read")])

    @routes.get("/v1/windows")
    async def windows(
        lead_id: Text | None = None,
        state: Literal["open", "paused", "met", "breached", "cancelled"] | None = None,
        promise: Text | None = None,
        owner: Text | None = None,
        limit: Limit = 50,
        cursor: Cursor | None = None,
    ) -> Response:
        """Promises on leads, first due first."""
        wanted = {"lead_id": lead_id, "state": state, "promise": promise, "owner": owner}
        filters = {name: value for name, value in wanted.items() if value}
        async with database.read() as tx:
            page = await window_store.windows_page(tx, filters=filters, after=read_cursor(cursor), limit=limit)
        last = (page[-1].due_at, page[-1].window_id) if len(page) == limit else None
        return _page([_window(window) for window in page], last)

    @routes.get("/v1/escalations")
    async def escalations(
        state: Literal["firing", "acknowledged", "closed"] | None = None,
        lead_id: Text | None = None,
        limit: Limit = 50,
        cursor: Cursor | None = None,
    ) -> Response:
        """Escalations, first raised first."""
        async with database.read() as tx:
            now, after = await database.now(tx), read_cursor(cursor)
            page = await escalation_store.escalations_page(
                tx, state=state, lead_id=lead_id, now=now, after=after, limit=limit
            )
        last = (page[-1].raised_at, page[-1].escalation_id) if len(page) == limit else None
        return _page([_escalation(each, now) for each in page], last)

    return routes


def _acknowledging(database: Database, keys: Keys, changed: Sequence[WakeUp]) -> APIRouter:
    routes = APIRouter(dependencies=[_needs(keys, "operate")])

    @routes.post("/v1/escalations/{escalation_id}/acknowledge")
    async def acknowledge(escalation_id: Text, body: Acknowledgement) -> Response:
        """Take an escalation on: its levels tell nobody until the time is over; a move still happens."""
        quiet = _quiet(body.for_)
        async with database.begin() as tx:
            found = await escalation_store.escalation_to_change(tx, escalation_id)
            if found is None:
                raise NotFound(f"There is no escalation {escalation_id!r}. GET /v1/escalations lists those there are.")
            if found.state == "closed":
                raise Over(f"The escalation was closed before ({found.reason}); there is nothing left to do.")
            now = await database.now(tx)
            taken = acknowledged(found, by=body.by, until=now + quiet if quiet else None)
            await escalation_store.save_escalations(tx, [taken])
            said = announcements.escalation_acknowledged(taken, body.by, now)
            await outbox.announce(tx, tables, [said])
        _tell(changed)
        return _json(_escalation(taken, now))

    return routes


def _unblocking(database: Database, keys: Keys, changed: Sequence[WakeUp]) -> APIRouter:
    routes = APIRouter(dependencies=[_needs(keys, "operate")])

    @routes.post("/v1/instances/{instance}/declare-lost")
    async def declare_lost(instance: Text) -> Response:
        """Wait no longer for what this ingest instance has not sent. Only for one whose disk is gone: should it come
        back, breaches announced meanwhile may have to be taken back.
        """
        async with database.begin() as tx:
            partitions = await watermark_store.declare_lost(tx, instance)
        if not partitions:
            raise NotFound(f"No running ingest instance {instance!r} is known here.")
        _log.warning("instance_declared_lost", instance=instance)
        _tell(changed)
        return _json({"instance": instance, "state": "lost", "partitions": partitions})

    @routes.post("/v1/leads/{lead_id}/release")
    async def release_lead(lead_id: Text) -> Response:
        """Let the promises of a lead run on that are on hold because of an activity that could not be read. Replaying
        the record does this by itself; this is for a record that will never be read.
        """
        async with database.begin() as tx:
            holds = await hold_store.holds_of(tx, [lead_id])
            released = await release(tx, holds, await database.now(tx))
        if not holds:
            raise NotFound(f"No promise of the lead {lead_id!r} is on hold.")
        _log.warning("lead_released", lead_id=lead_id, windows=released)
        _tell(changed)
        return _json({"lead_id": lead_id, "released": released})

    return routes


def _window(window: Window) -> Mapping[str, Any]:
    return {
        "window_id": window.window_id,
        "lead_id": window.lead_id,
        "promise": window.promise,
        "side": window.side,
        "owner": window.owner,
        "generation": window.generation,
        "opened_at": window.opened_at,
        "due_at": window.due_at,
        "state": window.state,
        "ended_at": window.ended_at,
        "met_by": window.met_by,
        "done": window.done,
        "needed": window.needed,
        "fault": window.fault if window.state == "breached" else None,
        "reason": window.reason,
        "hold": window.hold,
        "agreement": window.agreement,
    }


def _escalation(escalation: Escalation, now: datetime) -> Mapping[str, Any]:
    until = escalation.quiet_until_at
    ran_out = escalation.state == "acknowledged" and until is not None and until <= now
    return {
        "escalation_id": escalation.escalation_id,
        "window_id": escalation.window_id,
        "lead_id": escalation.lead_id,
        "promise": escalation.promise,
        "owner": escalation.owner,
        "generation": escalation.generation,
        "level": escalation.level,
        "state": "firing" if ran_out else escalation.state,
        "raised_at": escalation.raised_at,
        "told": escalation.told,
        "acknowledged_by": escalation.acknowledged_by,
        "quiet_until": until,
        "closed_at": escalation.closed_at,
        "reason": escalation.reason,
    }


def _quiet(text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        length = read_length(text)
    except ValueError as wrong:
        raise Refused(f"{wrong}.", pointer="/for") from None
    if length.business:
        raise Refused("Write a plain time, like '30 minutes': an acknowledgement has no calendar.", pointer="/for")
    return timedelta(seconds=length.seconds)


def _tell(changed: Sequence[WakeUp]) -> None:
    for signal in changed:
        signal.set()


def _page(items: Sequence[Mapping[str, Any]], last: tuple[datetime, str] | None) -> Response:
    return _json({"items": items, "next_cursor": write_cursor(*last) if last else None})


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
