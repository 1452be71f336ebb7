"""Where the forms of the operations board post to, so that acting needs no JavaScript.

Requests that other sites' pages cause are refused before they get here (`shared.http.origin`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from urllib.parse import parse_qsl, quote

import pydantic
from fastapi import APIRouter, Depends, Request, Response

from services.sla_monitor.api.duty import DutyRoutes, NewOverride
from services.sla_monitor.api.escalations import Acknowledgement, acknowledge_escalation, plain_length
from services.sla_monitor.api.silences import Matches, NewSilence, SilenceEnd, SilenceRoutes
from shared.agreement_file.schema.duty_schema import DutyRole
from shared.db.engine import Database
from shared.domain.errors import Problem, Refused
from shared.http.fields import Text
from shared.http.keys import Keys
from shared.http.message_page import message_page
from shared.runtime.wakeup import WakeUp, wake

BOARD = "/operations"
MAX_FIELDS = 20


def router(database: Database, keys: Keys, *, changed: Sequence[WakeUp]) -> APIRouter:
    """The routes; they need a key with `operate`, of the login or in the field `key`. `changed` is set after them."""
    routes = APIRouter(include_in_schema=False)

    async def operators_form(request: Request) -> dict[str, str]:
        form = await _form(request)
        keys.authorise(f"Bearer {form['key']}" if form.get("key") else request.headers.get("authorization"), "operate")
        return form

    Form = Annotated[dict[str, str], Depends(operators_form)]

    @routes.post(BOARD + "/escalations/{escalation_id}/acknowledge")
    async def acknowledge(escalation_id: Text, form: Form) -> Response:
        form_page = f"{BOARD}/escalations/{quote(escalation_id, safe='')}"
        try:
            await acknowledge_escalation(database, escalation_id, _acknowledgement(form))
        except Problem as problem:
            return message_page("Not acknowledged", problem.detail, form_page, status=problem.status)
        wake(changed)
        return _back_to_board(f"?done={quote(escalation_id, safe='')}")

    @routes.post(BOARD + "/silences")
    async def silence(form: Form) -> Response:
        try:
            async with database.read() as tx:
                now = await database.now(tx)
            await SilenceRoutes(database, changed).make(_silence(form, now))
        except Problem as problem:
            return message_page("Not silenced", problem.detail, BOARD, status=problem.status)
        return _back_to_board("#silences")

    @routes.post(BOARD + "/silences/{silence_id}/end")
    async def end_silence(silence_id: Text, form: Form) -> Response:
        try:
            await SilenceRoutes(database, changed).end(silence_id, _silence_end(form))
        except Problem as problem:
            back = f"{BOARD}/silences/{quote(silence_id, safe='')}"
            return message_page("Not ended", problem.detail, back, status=problem.status)
        return _back_to_board("#silences")

    @routes.post(BOARD + "/duty/{role}/overrides")
    async def stand_in(role: DutyRole, form: Form) -> Response:
        try:
            async with database.read() as tx:
                now = await database.now(tx)
            await DutyRoutes(database).make(role, _override(form, now))
        except Problem as problem:
            return message_page("Nobody stands in", problem.detail, f"{BOARD}/duty/{role}", status=problem.status)
        return _back_to_board("#on-duty")

    return routes


async def _form(request: Request) -> dict[str, str]:
    try:
        text = (await request.body()).decode()
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as wrong:
        raise Refused(f"The form cannot be read: {wrong}.") from None


def _acknowledgement(form: dict[str, str]) -> Acknowledgement:
    given = {"by": form.get("by", ""), "for": form.get("for") or None}
    try:
        return Acknowledgement.model_validate(given)
    except pydantic.ValidationError:
        raise Refused("Say who takes this on: a person of the agreement, by id or e-mail address.") from None


def _silence(form: dict[str, str], now: datetime) -> NewSilence:
    """A silence from now on. `scope` says what of the escalation it is about: its promise, its owner, or both."""
    until, scope = now + plain_length(form.get("for", "")), form.get("scope", "")
    matches = Matches(
        promise=form.get("promise") if "promise" in scope else None,
        owner=form.get("owner") if "owner" in scope else None,
    )
    try:
        return NewSilence(by=form.get("by", ""), reason=form.get("reason", ""), until=until, matches=matches)
    except pydantic.ValidationError:
        raise Refused("Give a reason, and say who silences this: a person of the agreement.") from None


def _silence_end(form: dict[str, str]) -> SilenceEnd:
    try:
        return SilenceEnd(by=form.get("by", ""))
    except pydantic.ValidationError:
        raise Refused("Say who ends the silence: a person of the agreement, by id or e-mail address.") from None


def _override(form: dict[str, str], now: datetime) -> NewOverride:
    """Someone on duty from now on, `for` a while or `to` an instant."""
    to = form.get("to") or now + plain_length(form.get("for", ""))
    try:
        return NewOverride.model_validate({"who": form.get("who", ""), "by": form.get("by", ""), "to": to})
    except pydantic.ValidationError:
        raise Refused("Say who stands in, until when, and who arranges this: people of the agreement.") from None


def _back_to_board(where: str) -> Response:
    return Response(status_code=303, headers={"location": BOARD + where})
