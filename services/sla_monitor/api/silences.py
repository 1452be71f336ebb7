"""Silences: for a while, the ladders of some promises notify nobody."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import pydantic
from fastapi import APIRouter, Response

from services.sla_monitor.store import arrangements
from services.sla_monitor.store.arrangements import MadeSilence, SilenceStatus
from services.sla_monitor.store.states import end_of_silence
from shared import log
from shared.agreements import store as agreements
from shared.clock import new_id
from shared.db.engine import Database, Tx
from shared.domain.agreement import Agreement, Side
from shared.domain.errors import Conflict, NotFound, Refused
from shared.domain.silences import MAX_SILENCE
from shared.http.auth import require, require_viewer
from shared.http.cursor import next_cursor, read_cursor
from shared.http.fields import Body, Cursor, Instant, Limit, Text
from shared.http.responses import json_response, page_response
from shared.runtime.service import Platform
from shared.runtime.wakeup import WakeUp, wake

_log = log.get("sla_monitor")


class Matches(Body):
    """The promises to which a silence applies; what is left out matches all."""

    promise: Text | None = None
    owner: Text | None = None
    pool: Text | None = None
    side: Side | None = None


class NewSilence(Body):
    """A silence from now on, or `from` later, with its end, its reason, and who makes it."""

    by: str = pydantic.Field(min_length=1, max_length=200)
    reason: str = pydantic.Field(min_length=1, max_length=500)
    from_: Instant | None = pydantic.Field(default=None, alias="from")
    until: Instant | None = None
    matches: Matches = Matches()


class SilenceEnd(Body):
    """Who ends a silence early."""

    by: str = pydantic.Field(min_length=1, max_length=200)


class SilenceView(MadeSilence, frozen=True, kw_only=True):
    """A silence, and whether it is active, coming or over."""

    state: SilenceStatus


class SilenceRoutes:
    """The routes. `changed` is set after changes."""

    def __init__(self, database: Database, changed: Sequence[WakeUp]) -> None:
        self._database = database
        self._changed = changed

    async def make(self, body: NewSilence) -> Response:
        """Silence promises: their steps are recorded, but notify and page nobody. Windows are judged as ever, and leads
        move. At the end, a breach that is still unanswered notifies those whose steps came due meanwhile. A silence has
        an end, `until`, at most 30 days after it begins.
        """
        async with self._database.begin() as tx:
            now = await self._database.now(tx)
            made = await _made(tx, body, now)
            await arrangements.save_silence(tx, made)
        _log.info("silence_made", silence_id=made.silence_id, by=made.by, ends_at=made.ends_at.isoformat())
        return json_response(_view(made, now), status=201)

    async def page(
        self, state: SilenceStatus | None = None, limit: Limit = 50, cursor: Cursor | None = None
    ) -> Response:
        """Silences that were made here, those that begin first in front. Those of the agreement are in it."""
        async with self._database.read() as tx:
            now = await self._database.now(tx)
            found = await arrangements.silences_page(tx, state=state, now=now, after=read_cursor(cursor), limit=limit)
        following = next_cursor(found, limit, lambda last: (last.starts_at, last.silence_id))
        return page_response([_view(each, now) for each in found], following)

    async def show(self, silence_id: Text) -> Response:
        """One silence that was made here."""
        async with self._database.read() as tx:
            now, made = await self._database.now(tx), await arrangements.silence(tx, silence_id)
        if made is None:
            raise _unknown(silence_id)
        return json_response(_view(made, now))

    async def end(self, silence_id: Text, body: SilenceEnd) -> Response:
        """End a silence now. Breaches that it kept silent and nobody answered notify now."""
        async with self._database.begin() as tx:
            now = await self._database.now(tx)
            made = await arrangements.silence_to_change(tx, silence_id)
            if made is None:
                raise _unknown(silence_id)
            if made.ends_at <= now:
                raise Conflict("The silence is already over.")
            by = _person(await agreements.in_force(tx, now), body.by)
            await arrangements.end_silence(tx, silence_id, by=by, now=now)
            await end_of_silence(tx, silence_id, now)
        wake(self._changed)
        ended = msgspec.structs.replace(made, ends_at=now, ended_by=by)
        return json_response(_view(ended, now))


def router(platform: Platform, *, changed: Sequence[WakeUp]) -> APIRouter:
    """The routes. Everyone who may view pages may read, since pages show these too; others need a key with
    `leads:read`. Changes need one with `operate`.
    """
    routes, router = SilenceRoutes(platform.db, changed), APIRouter(prefix="/v1/silences")
    operate = [require(platform.keys, "operate")]
    read = [require_viewer(platform.settings, platform.keys)]
    router.get("", dependencies=read)(routes.page)
    router.get("/{silence_id}", dependencies=read)(routes.show)
    router.post("", status_code=201, dependencies=operate)(routes.make)
    router.post("/{silence_id}/end", dependencies=operate)(routes.end)
    return router


async def _made(tx: Tx, body: NewSilence, now: datetime) -> MadeSilence:
    """What is asked for. Raises Refused for a silence without an end, one that is too long, and unknown names."""
    starts_at, most = body.from_ or now, f"at most {MAX_SILENCE.days} days after it begins"
    if body.until is None:
        raise Refused(f"A silence needs an end: give `until`, {most}.", pointer="/until")
    if body.until <= max(starts_at, now):
        raise Refused("The silence would be over before it begins: give a later `until`.", pointer="/until")
    if body.until - starts_at > MAX_SILENCE:
        raise Refused(f"The silence is too long: give an `until` {most}.", pointer="/until")
    agreement, matches = await agreements.in_force(tx, now), body.matches
    if agreement is not None:
        promises = [*agreement.promises, *agreement.operations, *agreement.commitments]
        _check("promise", matches.promise, promises)
        _check("pool", matches.pool, list(agreement.pools))
    return MadeSilence(
        silence_id=new_id(),
        starts_at=starts_at,
        ends_at=body.until,
        reason=body.reason,
        by=_person(agreement, body.by),
        made_at=now,
        promise=matches.promise,
        owner=_person(agreement, matches.owner, "/matches/owner") if matches.owner is not None else None,
        pool=matches.pool,
        side=matches.side,
    )


def _unknown(silence_id: str) -> NotFound:
    return NotFound(f"There is no silence {silence_id!r}. GET /v1/silences lists all.")


def _check(what: str, name: str | None, known: Sequence[str]) -> None:
    if name is not None and name not in known:
        raise Refused(f"Unknown {what} {name!r}. Give one of: {', '.join(known)}.", pointer=f"/matches/{what}")


def _person(agreement: Agreement | None, name: str, pointer: str = "/by") -> str:
    return agreement.person_id(name, pointer=pointer) if agreement is not None else name


def _view(made: MadeSilence, now: datetime) -> SilenceView:
    state: SilenceStatus = "over" if made.ends_at <= now else "coming" if made.starts_at > now else "active"
    return SilenceView(**msgspec.structs.asdict(made), state=state)
