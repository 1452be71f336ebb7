"""PagerDuty Events v2: triggers, acknowledges and resolves one alert, which all notices of a promise share.

https://developer.pagerduty.com/docs/events-api-v2-overview. `url` is for the service region in the EU
(`https://events.eu.pagerduty.com/v2/enqueue`).
"""

from typing import Any

import msgspec

from services.delivery.channels.credentials import Credentials
from services.delivery.channels.http_client import Request, json_request
from services.delivery.domain.notice import Notice, facts, headline, links, wrote
from services.delivery.domain.notice_words import fit
from services.delivery.domain.outcome import Outcome, not_understood, outcome_of, read_json
from services.delivery.domain.retry import EndpointResponse
from shared.domain.printable import printable

URL = "https://events.pagerduty.com/v2/enqueue"
LONGEST_SUMMARY = 1024
LONGEST_ERROR = 200


class _Answer(msgspec.Struct):
    status: str = ""
    errors: list[str] = []


def request(notice: Notice, credentials: Credentials) -> Request:
    """A trigger with all that is known, or the end of what was triggered under the same key."""
    content: dict[str, Any] = {
        "routing_key": credentials.need("routing_key"),
        "dedup_key": notice.incident_id,
        **_action(notice),
    }
    return json_request(credentials.get("url", URL), content)


def outcome(answer: EndpointResponse) -> Outcome:
    """202 with `success`, and no other success; a 400 says what is wrong with the event, such as its key."""
    said = read_json(answer.body, _Answer) or _Answer()
    if answer.status is not None and 200 <= answer.status < 300 and (answer.status, said.status) != (202, "success"):
        return not_understood(answer)
    return outcome_of(answer, fit(printable("; ".join(said.errors)), LONGEST_ERROR))


def _action(notice: Notice) -> dict[str, Any]:
    if notice.kind == "acknowledged":
        return {"event_action": "acknowledge"}
    if notice.kind == "closed":
        return {"event_action": "resolve"}
    details = {fact.label: fact.text for fact in facts(notice)}
    if said := wrote(notice):
        details["The buyer wrote"] = said
    return {
        "event_action": "trigger",
        "client": "Baton",
        "links": [{"href": link.url, "text": link.label} for link in links(notice)],
        "payload": {
            "summary": fit(headline(notice), LONGEST_SUMMARY),
            "source": "baton",
            "severity": _severity(notice),
            "timestamp": notice.at.isoformat(),
            "component": notice.promise,
            "class": notice.kind,
            "custom_details": details,
        },
    }


def _severity(notice: Notice) -> str:
    if notice.kind not in ("breach", "exhausted"):
        return "info" if notice.kind == "test" else "warning"
    return "critical" if notice.page else "error"
