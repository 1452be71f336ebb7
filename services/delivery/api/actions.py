"""`GET /act/{link}`: the page behind a link in a message. It changes nothing: its form posts to who acts.

What it says about the owner of a lead may be over when the form is sent, and who acts has no way to know. So a form
about a lead is posted to `/act/check`, which looks again and sends it on (307, the form with it).
"""

from collections.abc import Awaitable, Mapping
from html import escape

from fastapi import APIRouter, Response

from services.delivery.domain.action_links import why_not
from services.delivery.domain.context import LeadContext
from services.delivery.domain.due_notices import DueNotice
from services.delivery.store.leads import contexts_of
from services.delivery.store.notices import notice_with_id
from shared.agreement_text.phrases import sentence, spaced
from shared.agreements import store as agreements
from shared.db.engine import Database
from shared.domain.action_links import (
    AGAIN,
    CLAIMED_S,
    GRANT_S,
    Action,
    ActionLink,
    Claim,
    Grant,
    LinkRefused,
    read,
    signed,
)
from shared.domain.agreement import Agreement
from shared.domain.errors import Problem
from shared.domain.printable import printable
from shared.http.action_pages import HEADERS, NOT_IN_USE, Pace, page, posted_form
from shared.http.asgi import Endpoint, Receive, Scope, Send
from shared.http.fields import Text
from shared.ports import Clock

CHECK_PATH = "/act/check"
_TITLES: Mapping[Action, str] = {
    "accept": "Accept this lead?",
    "reject": "Reject this lead?",
    "acknowledge": "Acknowledge this?",
}
_QUIET = {"30 minutes": "30 minutes", "1 hour": "1 hour", "4 hours": "4 hours", "": "until it is closed"}


class ActionPages:
    """The pages; without a `key` no link is valid."""

    def __init__(self, *, key: bytes | None, clock: Clock, database: Database) -> None:
        self._key = key
        self._clock = clock
        self._database = database
        self._pace = Pace(clock)

    def router(self) -> APIRouter:
        """The one route. It needs no login, since the link is one."""
        router = APIRouter(include_in_schema=False)
        router.api_route("/act/{link}", methods=["GET", "HEAD"])(self._page)
        return router

    def endpoints(self) -> Mapping[str, Endpoint]:
        """Where forms about a lead are posted to."""
        return {CHECK_PATH: Endpoint(self._check, routed=("GET", "HEAD"), any_site=True)}

    async def _page(self, link: Text) -> Response:
        return await _answer("Nothing to do here", self._form_of(link))

    async def _check(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await _answer("Nothing was changed", self._grant_of(receive))
        if answer.status_code == 200:
            onward = f"/act/lead?grant={bytes(answer.body).decode()}"
            answer = Response(b"", 307, headers={**HEADERS, "location": onward})
        await answer(scope, receive, send)

    async def _grant_of(self, receive: Receive) -> bytes:
        """The grant that a form with a claim becomes, if the claim is true. Raises `LinkRefused`."""
        if self._key is None:
            raise LinkRefused(NOT_IN_USE)
        now = self._clock.now()
        claim = read(self._key, (await posted_form(receive)).get("grant", ""), Claim, now)
        self._pace.count(claim.notice_id)
        due, known, _ = await self._found(claim.notice_id)
        if (reason := why_not(claim.action, due, known.rep if known is not None else None)) is not None:
            raise LinkRefused(reason)
        if known is None or known.assignment != claim.assignment:
            raise LinkRefused(f"The lead has moved since this page was opened. {AGAIN}")
        until = int(now.timestamp()) + CLAIMED_S
        return signed(self._key, Grant(claim.notice_id, claim.action, claim.subject, claim.person, until)).encode()

    async def _form_of(self, text: str) -> bytes:
        if self._key is None:
            raise LinkRefused(NOT_IN_USE)
        link = read(self._key, text, ActionLink, self._clock.now())
        self._pace.count(link.notice_id)
        due, known, agreement = await self._found(link.notice_id)
        person = due.person or ""
        if (reason := why_not(link.action, due, known.rep if known is not None else None)) is not None:
            raise LinkRefused(reason)
        until = int(self._clock.now().timestamp()) + GRANT_S
        given: Grant | Claim
        if link.action == "acknowledge":
            given = Grant(link.notice_id, link.action, due.escalation_id or "", person, until)
        else:
            assignment = known.assignment if known is not None else ""
            given = Claim(link.notice_id, link.action, due.lead_id, person, assignment, until)
        return page(_TITLES[link.action], _about(due, known), _form(link.action, signed(self._key, given), agreement))

    async def _found(self, notice_id: str) -> tuple[DueNotice, LeadContext | None, Agreement | None]:
        """The notice, what is known of its lead, and the agreement in force. Raises `LinkRefused`."""
        async with self._database.read() as tx:
            due = await notice_with_id(tx, notice_id)
            if due is None or due.person is None:
                raise LinkRefused("This message is no longer stored. Open the lead in Baton instead.")
            known = (await contexts_of(tx, [due.lead_id])).get(due.lead_id)
            return due, known, await agreements.in_force(tx, await self._database.now(tx))


async def _answer(refusal: str, made: Awaitable[bytes]) -> Response:
    try:
        status, body = 200, await made
    except LinkRefused as refused:
        status, body = 410, page(refusal, str(refused))
    except Problem as problem:
        status, body = problem.status, page("Nothing was changed", problem.detail)
    return Response(body, status, headers=HEADERS)


def _about(due: DueNotice, known: LeadContext | None) -> str:
    lead = " of ".join(filter(None, (known.name, known.company))) if known is not None else ""
    about = ", ".join(filter(None, (lead, spaced(due.promise))))
    return f"{about[:1].upper()}{about[1:]}. You act as {due.person}."


def _form(action: Action, grant: str, agreement: Agreement | None) -> str:
    path = "/act/escalation" if action == "acknowledge" else CHECK_PATH
    inner = {"accept": "", "reject": _reasons(agreement), "acknowledge": _choice("for", "For how long", _QUIET)}[action]
    verb = sentence(action)[:-1]
    return (
        f'<form method="post" action="{path}"><input type="hidden" name="grant" value="{escape(grant)}">'
        f"{inner}<button>{verb}</button></form>"
    )


def _reasons(agreement: Agreement | None) -> str:
    """What sales may reject with; any words if the agreement lists no reasons."""
    text = (
        '<label for="text">In a sentence</label><textarea id="text" name="text" rows="3" maxlength="2000"></textarea>'
    )
    reasons = agreement.reject_reasons if agreement is not None else {}
    if not reasons:
        return f'<label for="reason">Why</label><input id="reason" name="reason" required maxlength="200">{text}'
    needs = {True: " (with a sentence)", False: ""}
    shown = {code: spaced(code) + needs[reason.needs_text] for code, reason in reasons.items()}
    return _choice("reason", "Why", shown) + text


def _choice(name: str, label: str, options: Mapping[str, str]) -> str:
    shown = "".join(
        f'<option value="{escape(value)}">{escape(printable(text))}</option>' for value, text in options.items()
    )
    return f'<label for="{name}">{label}</label><select id="{name}" name="{name}">{shown}</select>'
