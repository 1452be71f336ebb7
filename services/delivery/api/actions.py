"""`GET /act/{link}`: the page behind a link in a message. It changes nothing: its form posts to who acts."""

from collections.abc import Mapping
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
from shared.domain.action_links import GRANT_S, Action, ActionLink, Grant, LinkRefused, read, signed
from shared.domain.agreement import Agreement
from shared.domain.errors import Problem
from shared.domain.printable import printable
from shared.http.action_pages import HEADERS, NOT_IN_USE, Pace, page
from shared.http.fields import Text
from shared.ports import Clock

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

    async def _page(self, link: Text) -> Response:
        try:
            status, body = 200, await self._form_of(link)
        except LinkRefused as refused:
            status, body = 410, page("Nothing to do here", str(refused))
        except Problem as problem:
            status, body = problem.status, page("Nothing was changed", problem.detail)
        return Response(body, status, headers=HEADERS)

    async def _form_of(self, text: str) -> bytes:
        if self._key is None:
            raise LinkRefused(NOT_IN_USE)
        link = read(self._key, text, ActionLink, self._clock.now())
        self._pace.count(link.notice_id)
        async with self._database.read() as tx:
            due = await notice_with_id(tx, link.notice_id)
            if due is None or due.person is None:
                raise LinkRefused("This message is no longer stored. Open the lead in Baton instead.")
            known = (await contexts_of(tx, [due.lead_id])).get(due.lead_id)
            agreement = await agreements.in_force(tx, await self._database.now(tx))
        if (reason := why_not(link.action, due, known.rep if known is not None else None)) is not None:
            raise LinkRefused(reason)
        subject = due.lead_id if link.action != "acknowledge" else due.escalation_id or ""
        until = int(self._clock.now().timestamp()) + GRANT_S
        grant = Grant(link.notice_id, link.action, subject, due.person, until)
        return page(_TITLES[link.action], _about(due, known), _form(link.action, signed(self._key, grant), agreement))


def _about(due: DueNotice, known: LeadContext | None) -> str:
    lead = " of ".join(filter(None, (known.name, known.company))) if known is not None else ""
    about = ", ".join(filter(None, (lead, spaced(due.promise))))
    return f"{about[:1].upper()}{about[1:]}. You act as {due.person}."


def _form(action: Action, grant: str, agreement: Agreement | None) -> str:
    path = "/act/escalation" if action == "acknowledge" else "/act/lead"
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
