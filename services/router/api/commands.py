"""Move a lead, merge two, split one, put a rep on hold, set their days off. Everything needs a key with the scope
`operate`.
"""

import asyncio
from typing import Annotated, Any, Literal

import msgspec
import pydantic
from fastapi import APIRouter, Request, Response
from msgspec.structs import replace

from services.router.api.views import AvailabilityView, LeaveView, lead_view
from services.router.domain.availability import Leave
from services.router.domain.proof import ReassignReason
from services.router.handlers.commands import Commands
from shared.domain.errors import Refused
from shared.http.auth import require
from shared.http.fields import Body, Day, Instant, Text
from shared.http.keys import Key, Keys
from shared.http.responses import json_response

MAX_ICAL_BYTES = 256 * 1024


class MoveTarget(Body):
    """A rep, or a pool whose turn decides: one of the two."""

    rep: str | None = None
    pool: str | None = None


class MoveCommand(Body):
    """The new owner of a lead, who decided it, and why."""

    to: MoveTarget
    reason: str = pydantic.Field(min_length=1, max_length=500)
    by: str | None = pydantic.Field(default=None, max_length=200)


class MergeCommand(Body):
    """The lead that goes on, who says that both are of one person, and why."""

    into: str = pydantic.Field(min_length=1, max_length=200)
    reason: str = pydantic.Field(min_length=1, max_length=500)
    by: str | None = pydantic.Field(default=None, max_length=200)


class SplitCommand(Body):
    """Who says that the id is another person's, and why."""

    reason: str = pydantic.Field(min_length=1, max_length=500)
    by: str | None = pydantic.Field(default=None, max_length=200)


class AvailabilityCommand(Body):
    """`hold` until an instant (or until further notice), or `available` again."""

    state: Literal["hold", "available"]
    until: Instant | None = None
    by: str | None = pydantic.Field(default=None, max_length=200)
    reason: str | None = pydantic.Field(default=None, max_length=500)


class DaysOff(Body):
    """Days off, both ends included; `half` for the morning or the afternoon of one day."""

    first: Day
    last: Day | None = None
    half: Literal["morning", "afternoon"] | None = None


class LeaveList(Body):
    """All days off; they replace the previous ones."""

    leave: list[DaysOff] = pydantic.Field(max_length=500)


def router(commands: Commands, keys: Keys) -> APIRouter:
    """The routes."""
    operator = require(keys, "operate")
    routes = APIRouter(dependencies=[operator])
    _add_leads(routes, commands, operator)
    _add_reps(routes, commands, operator)
    return routes


def _add_leads(routes: APIRouter, commands: Commands, operator: Any) -> None:
    @routes.post("/v1/leads/{lead_id}/move")
    async def move(lead_id: Text, body: MoveCommand, key: Annotated[Key, operator]) -> Response:
        """Move the lead to a rep, regardless of load, or to the pool member whose turn it is."""
        if (body.to.rep is None) == (body.to.pool is None):
            raise Refused("Give exactly one of 'rep' and 'pool'.", pointer="/to")
        cause = ReassignReason("manual", by=body.by, reason=body.reason, to_rep=body.to.rep, to_pool=body.to.pool)
        lead, warning = await commands.move(lead_id, cause, key.name)
        return json_response(replace(lead_view(lead), warning=msgspec.UNSET if warning is None else warning))

    @routes.post("/v1/leads/{lead_id}/merge")
    async def merge(lead_id: Text, body: MergeCommand, key: Annotated[Key, operator]) -> Response:
        """Let the lead go on as another one: both are of one person. The other one keeps its owner."""
        cause = ReassignReason("same_person", by=body.by, reason=body.reason)
        return json_response(lead_view(await commands.merge(lead_id, body.into, cause, key.name)))

    @routes.post("/v1/leads/{lead_id}/split")
    async def split(lead_id: Text, body: SplitCommand, key: Annotated[Key, operator]) -> Response:
        """Let an id that became part of a lead be a lead of its own again: it is another person's."""
        cause = ReassignReason("split", by=body.by, reason=body.reason)
        return json_response(lead_view(await commands.split(lead_id, cause, key.name)))


def _add_reps(routes: APIRouter, commands: Commands, operator: Any) -> None:
    @routes.put("/v1/reps/{rep}/availability")
    async def availability(rep: Text, body: AvailabilityCommand, key: Annotated[Key, operator]) -> Response:
        """Put a rep on hold: they get no leads until the hold ends. Those they have stay with them."""
        if body.state == "available":
            if body.until is not None:
                raise Refused("'until' goes with a hold only: remove it.", pointer="/until")
            person = await commands.release(rep)
        else:
            person = await commands.hold(rep, until=body.until, by=body.by, sender=key.name, reason=body.reason)
        return json_response(AvailabilityView(person, body.state, body.until))

    @routes.put("/v1/reps/{rep}/leave")
    async def leave(rep: Text, request: Request) -> Response:
        """Replace the rep's days off, with JSON or an iCalendar file (`text/calendar`)."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await request.body()
        if kind == "text/calendar":
            from services.router.api.calendar_file import days_off  # noqa: PLC0415 (the library is large, and rare)

            if len(body) > MAX_ICAL_BYTES:
                raise Refused("The calendar is larger than 256 KiB. Send future events only.", status=413)
            taken = await asyncio.to_thread(days_off, body, *await commands.zone_and_date(rep))
        else:
            taken = _listed(body)
        return json_response(LeaveView(await commands.take_leave(rep, taken), taken))


def _listed(body: bytes) -> tuple[Leave, ...]:
    try:
        wanted = LeaveList.model_validate_json(body)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        pointer = "/" + "/".join(map(str, first["loc"]))
        example = '{"leave": [{"first": "2026-12-24"}]}'
        raise Refused(f"{first['msg']}: write it like {example}.", pointer=pointer) from error
    taken = []
    for number, each in enumerate(wanted.leave):
        last = each.last or each.first
        if last < each.first or (each.half is not None and last != each.first):
            pointer = f"/leave/{number}"
            raise Refused("'last' is before 'first', or 'half' is used with more than one day.", pointer=pointer)
        taken.append(Leave(each.first, last, each.half))
    return tuple(taken)
