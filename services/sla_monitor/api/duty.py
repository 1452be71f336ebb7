"""Who is on duty, and who stands in for the duty rota of the agreement."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pydantic
from fastapi import APIRouter, Response

from services.sla_monitor.store import arrangements
from services.sla_monitor.store.arrangements import MadeOverride
from shared import log
from shared.agreement_file.schema.duty_schema import DutyRole
from shared.agreements import store as agreements
from shared.clock import new_id
from shared.db.engine import Database, Tx
from shared.domain.duty import Duty, gaps, on_duty
from shared.domain.errors import Conflict, NotFound, Refused
from shared.http.auth import require, require_viewer
from shared.http.fields import Body, Instant, Text
from shared.http.responses import json_response
from shared.runtime.service import Platform

MAX_OVERRIDES = 100
GAPS_AHEAD = timedelta(days=90)
MAX_GAPS = 20
_log = log.get("sla_monitor")


class NewOverride(Body):
    """Who is on duty, `from` when (else from now) until `to`, and who says so."""

    who: str = pydantic.Field(min_length=1, max_length=200)
    from_: Instant | None = pydantic.Field(default=None, alias="from")
    to: Instant
    by: str = pydantic.Field(min_length=1, max_length=200)


class Gap(msgspec.Struct, frozen=True):
    """A time in which nobody is on duty."""

    starts_at: datetime
    ends_at: datetime


class DutyView(msgspec.Struct, frozen=True):
    """Who a role is now: null if nobody is. That does not change before `until_at`; null: it never does. `gaps` are the
    first times in the next 90 days in which nobody is; a role without a duty rota has none.
    """

    role: str
    person: str | None
    until_at: datetime | None
    gaps: tuple[Gap, ...]
    overrides: tuple[MadeOverride, ...]


class DutyRoutes:
    """The routes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def show(self) -> Response:
        """Who is on duty now, by the agreement in force and the overrides that were made here."""
        async with self._database.read() as tx:
            now = await self._database.now(tx)
            agreement = await agreements.in_force(tx, now)
            made = await arrangements.overrides_from(tx, now)
        items = _on_duty(agreement.duty if agreement is not None else {}, made, now)
        return json_response({"items": items})

    async def page(self, role: DutyRole) -> Response:
        """The overrides of a role that are not over, those that were made first in front."""
        async with self._database.read() as tx:
            made = await arrangements.overrides_from(tx, await self._database.now(tx))
        return json_response({"items": [each for each in made if each.role == role]})

    async def make(self, role: DutyRole, body: NewOverride) -> Response:
        """Put a person on duty for a while. That wins over the agreement, and over overrides that were made before."""
        async with self._database.begin() as tx:
            now = await self._database.now(tx)
            made = await _made(tx, role, body, now)
            await arrangements.save_override(tx, made)
        _log.info("duty_overridden", role=role, person=made.person, by=made.by, ends_at=made.ends_at.isoformat())
        return json_response(made, status=201)

    async def remove(self, role: DutyRole, override_id: Text) -> Response:
        """Delete an override: the duty rota of the agreement holds again."""
        async with self._database.begin() as tx:
            found = await arrangements.delete_override(tx, role, override_id)
        if not found:
            raise NotFound(f"There is no override {override_id!r} of {role}. GET /v1/duty lists all.")
        _log.info("duty_restored", role=role, override_id=override_id)
        return Response(status_code=204)


def router(platform: Platform) -> APIRouter:
    """The routes. Everyone who may view pages may read, since pages show these too; others need a key with
    `leads:read`. Changes need one with `operate`.
    """
    routes, router = DutyRoutes(platform.db), APIRouter(prefix="/v1/duty")
    read = [require_viewer(platform.settings, platform.keys)]
    operate = [require(platform.keys, "operate")]
    router.get("", dependencies=read)(routes.show)
    router.get("/{role}/overrides", dependencies=read)(routes.page)
    router.post("/{role}/overrides", status_code=201, dependencies=operate)(routes.make)
    router.delete("/{role}/overrides/{override_id}", status_code=204, dependencies=operate)(routes.remove)
    return router


async def _made(tx: Tx, role: str, body: NewOverride, now: datetime) -> MadeOverride:
    """What is asked for. Raises Refused for a wrong time and people who are not in the team, Conflict if there are too
    many.
    """
    starts_at = body.from_ or now
    if body.to <= max(starts_at, now):
        raise Refused("The override would be over before it begins: give a later `to`.", pointer="/to")
    if sum(each.role == role for each in await arrangements.overrides_from(tx, now)) >= MAX_OVERRIDES:
        raise Conflict(f"{role} has {MAX_OVERRIDES} overrides that are not over: delete some.")
    agreement, who, by = await agreements.in_force(tx, now), body.who, body.by
    if agreement is not None:
        who, by = agreement.person_id(who, pointer="/who"), agreement.person_id(by, pointer="/by")
        if who not in agreement.team:
            raise Refused(f"{who} is not active and can't be on duty: name someone else.", pointer="/who")
    return MadeOverride(
        override_id=new_id(), role=role, person=who, starts_at=starts_at, ends_at=body.to, by=by, made_at=now
    )


def _on_duty(duties: Mapping[str, Duty], made: Sequence[MadeOverride], now: datetime) -> list[DutyView]:
    shifts = arrangements.shifts(made)
    roles = {
        role: replace(duties.get(role, Duty()), overrides=(*duties.get(role, Duty()).overrides, *shifts.get(role, ())))
        for role in dict.fromkeys((*duties, *shifts))
    }
    found = []
    for role in roles:
        current = on_duty(roles, role, now)
        ahead = gaps(roles, role, now, now + GAPS_AHEAD) if role in duties else iter(())
        first = [Gap(*gap) for _, gap in zip(range(MAX_GAPS), ahead, strict=False)]
        mine = tuple([each for each in made if each.role == role])
        found.append(DutyView(role, current.person, current.until_at, tuple(first), mine))
    return found
