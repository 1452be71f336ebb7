"""Escalations, and who has taken them on."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import pydantic
from fastapi import APIRouter, Response

from services.sla_monitor.domain.escalation import Escalation
from services.sla_monitor.store import escalations as escalation_store
from services.sla_monitor.store.states import take_on
from shared.agreement_file.text.values import read_length
from shared.agreements import store as agreements
from shared.db.engine import Database, Tx
from shared.domain.errors import NotFound, Problem, Refused
from shared.domain.promises import EscalationStatus, escalation_status
from shared.http.auth import require
from shared.http.cursor import next_cursor, read_cursor
from shared.http.fields import Body, Cursor, Limit, Text
from shared.http.keys import Keys
from shared.http.responses import json_response, page_response
from shared.runtime.wakeup import WakeUp, wake


class Over(Problem):
    """There is nothing left to take on."""

    status = 409
    title = "The escalation is closed"


class Acknowledgement(Body):
    """Who takes an escalation on, and for how long; without `for`, until it is closed."""

    by: str = pydantic.Field(min_length=1, max_length=200)
    for_: str | None = pydantic.Field(default=None, alias="for", examples=["30 minutes"])


class EscalationView(
    Escalation, frozen=True, kw_only=True, omit_defaults=False, rename={"quiet_until_at": "quiet_until"}
):
    """An escalation with all its fields; one whose acknowledgement has run out is firing again. `notify` are the roles
    to which a notification is or was due; `told` is its deprecated name.
    """

    notify: tuple[str, ...] = ()


def router(database: Database, keys: Keys, *, changed: Sequence[WakeUp]) -> APIRouter:
    """The routes. Reading needs a key with `leads:read`, acknowledging one with `operate`, after which `changed` is
    set.
    """
    routes = APIRouter()

    @routes.get("/v1/escalations", dependencies=[require(keys, "leads:read")])
    async def escalations(
        state: EscalationStatus | None = None,
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
        following = next_cursor(page, limit, lambda last: (last.raised_at, last.escalation_id))
        return page_response([_view(each, now) for each in page], following)

    @routes.post("/v1/escalations/{escalation_id}/acknowledge", dependencies=[require(keys, "operate")])
    async def acknowledge(escalation_id: Text, body: Acknowledgement) -> Response:
        """Acknowledge an escalation: its levels notify no one until the time is over, when it fires again unless
        someone answered; a move still happens. `by` is a person of the agreement in force, by id or e-mail address.
        """
        taken = await acknowledge_escalation(database, escalation_id, body)
        wake(changed)
        return json_response(taken)

    return routes


async def acknowledge_escalation(database: Database, escalation_id: str, body: Acknowledgement) -> EscalationView:
    """Acknowledge the escalation. Raises `NotFound`, `Over`, and `Refused` for an unknown person or no duration."""
    quiet = quiet_time(body.for_)
    async with database.begin() as tx:
        found, now = await to_acknowledge(tx, escalation_id), await database.now(tx)
        taken = await acknowledged(tx, found, body.by, quiet, now)
    return _view(taken, now)


async def to_acknowledge(tx: Tx, escalation_id: str) -> Escalation:
    """The escalation, with its window locked. Raises `NotFound` and `Over`."""
    found = await escalation_store.escalation_to_change(tx, escalation_id)
    if found is None:
        raise NotFound(f"There is no escalation {escalation_id!r}. GET /v1/escalations lists all.")
    if found.state == "closed":
        raise Over(f"The escalation is already closed ({found.reason}).")
    return found


async def acknowledged(tx: Tx, found: Escalation, by: str, quiet: timedelta | None, now: datetime) -> Escalation:
    """Let a person of the agreement in force take the escalation on. Raises `Refused`."""
    agreement = await agreements.in_force(tx, now)
    person = agreement.person_id(by, pointer="/by") if agreement is not None else by
    return await take_on(tx, found, by=person, until=now + quiet if quiet else None, now=now)


def _view(escalation: Escalation, now: datetime) -> EscalationView:
    view = msgspec.convert(escalation, EscalationView, from_attributes=True)
    state = escalation_status(view.state, view.quiet_until_at, now)
    return msgspec.structs.replace(view, state=state, notify=escalation.told)


def quiet_time(text: str | None) -> timedelta | None:
    """For how long an escalation is acknowledged; None until it is closed. Raises `Refused`."""
    return plain_length(text) if text is not None else None


def plain_length(text: str) -> timedelta:
    """A duration such as `30 minutes`. Raises `Refused` for any other text, and for business time."""
    try:
        length = read_length(text)
    except ValueError as wrong:
        raise Refused(f"{wrong}.", pointer="/for") from None
    if length.business:
        raise Refused("Use a plain duration such as '30 minutes', without business time.", pointer="/for")
    return timedelta(seconds=length.seconds)
