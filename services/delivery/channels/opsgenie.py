"""Opsgenie's alert API and what understands it: creates, acknowledges and closes one alert by its alias.

https://docs.opsgenie.com/docs/alert-api. `key` is an API key; `url` is another server, such as
`https://api.eu.opsgenie.com`.
"""

from typing import Any
from urllib.parse import quote

import msgspec

from services.delivery.channels.credentials import Credentials
from services.delivery.channels.http_client import Request, json_request
from services.delivery.domain.notice import Notice, facts, headline, links, quoted
from services.delivery.domain.notice_words import fit
from services.delivery.domain.outcome import Outcome, of_service, read_json
from services.delivery.domain.retry import EndpointResponse

URL = "https://api.opsgenie.com"
LONGEST_MESSAGE, LONGEST_DESCRIPTION, LONGEST_DETAIL, LONGEST_NOTE = 130, 15_000, 1_000, 25_000
_ACTIONS = {"acknowledged": "acknowledge", "closed": "close"}


class _Answer(msgspec.Struct, rename="camel"):
    request_id: str = ""


def request(notice: Notice, credentials: Credentials) -> Request:
    """A new alert with all that is known, or the end of the one with the same alias."""
    base = credentials.get("url", URL).rstrip("/") + "/v2/alerts"
    key = f"GenieKey {credentials.need('key')}"
    if action := _ACTIONS.get(notice.kind):
        url = f"{base}/{quote(notice.incident_id, safe='')}/{action}?identifierType=alias"
        return json_request(url, {"source": "Baton", "note": fit(headline(notice), LONGEST_NOTE)}, authorization=key)
    return json_request(base, _alert(notice), authorization=key)


def outcome(answer: EndpointResponse) -> Outcome:
    """202 with the id of the request, since requests are worked off later, and no other success."""
    said = read_json(answer.body, _Answer) or _Answer()
    return of_service(answer, its_own=answer.status == 202 and said.request_id != "")


def _alert(notice: Notice) -> dict[str, Any]:
    parts = ["\n".join(quoted(notice)), *(f"{link.label}: {link.url}" for link in links(notice))]
    return {
        "message": fit(headline(notice), LONGEST_MESSAGE),
        "alias": notice.incident_id,
        "description": fit("\n\n".join(filter(None, parts)), LONGEST_DESCRIPTION),
        "details": {fact.label: fit(fact.text, LONGEST_DETAIL) for fact in facts(notice)},
        "source": "Baton",
        "entity": fit(notice.promise, 500),
        "priority": _priority(notice),
    }


def _priority(notice: Notice) -> str:
    if notice.kind not in ("breach", "exhausted"):
        return "P5" if notice.kind == "test" else "P3"
    return "P1" if notice.page else "P2"
