"""Judge the leads of a period again: without a key on this machine, elsewhere with one that carries `operate`."""

from typing import Literal

import msgspec
import pydantic
from fastapi import APIRouter, Request, Response

from services.router.handlers.rejudging import Rejudgings, Wanted
from services.router.store.rejudgings import Rejudging
from shared.domain.errors import Refused
from shared.http.auth import require_viewer
from shared.http.fields import Body, Instant, Text
from shared.http.keys import Keys
from shared.http.responses import json_response
from shared.runtime.service import Platform

PATH = "/v1/re-judge"
NO_KEY = "someone on this machine"


class RejudgeCommand(Body):
    """Leads received from `from` on and before `to` (at most until now) that are in one of `statuses` (default: both).

    Without `simulation` nothing is changed. With the id of a simulation its leads are judged again, for a `reason`.
    """

    since: Instant | None = pydantic.Field(default=None, alias="from")
    until: Instant | None = pydantic.Field(default=None, alias="to")
    statuses: list[Literal["rejected", "parked"]] | None = pydantic.Field(default=None, min_length=1, max_length=2)
    simulation: str | None = pydantic.Field(default=None, max_length=200)
    reason: str | None = pydantic.Field(default=None, min_length=1, max_length=500)
    by: str | None = pydantic.Field(default=None, max_length=200)


def router(platform: Platform, rejudgings: Rejudgings) -> APIRouter:
    """The routes."""
    routes = APIRouter(dependencies=[require_viewer(platform.settings, platform.keys, "operate")])

    @routes.post(PATH)
    async def rejudge(request: Request, body: RejudgeCommand) -> Response:
        """What the version in force would make of leads that were rejected or wait; with the `simulation` that showed
        it, judge them again. The response has the id; `GET` shows how far it is.
        """
        statuses = tuple(dict.fromkeys(body.statuses)) if body.statuses is not None else None
        wanted = Wanted(body.since, body.until, statuses)
        if body.simulation is None:
            return _answer(await rejudgings.simulate(wanted))
        if body.reason is None:
            raise Refused("Give the reason: each proof shows it.", pointer="/reason")
        sender = _sender(request, platform.keys)
        return _answer(await rejudgings.apply(body.simulation, wanted, reason=body.reason, by=body.by, sender=sender))

    @routes.get(f"{PATH}/{{rejudging_id}}")
    async def rejudging(rejudging_id: Text) -> Response:
        """A re-judging: what was simulated, and what has been applied so far."""
        return _answer(await rejudgings.find(rejudging_id))

    return routes


def _answer(rejudging: Rejudging) -> Response:
    shown: dict[str, object] = msgspec.to_builtins(rejudging)
    del shown["after"]  # How far it is in its own order is of use to nobody else.
    return json_response(shown)


def _sender(request: Request, keys: Keys) -> str:
    authorization = request.headers.get("authorization")
    return keys.recognise(authorization).name if authorization is not None else NO_KEY
