"""Alertmanager v2 (`url`, and `authorization` if it asks for a header of that name).

https://prometheus.io/docs/alerting/latest/alerts_api/. An alert is what its labels are, and only the same labels end
it: so none of them says what another notice of the incident may not know. What is due soon and what is overdue are two
alerts, so that the second one is announced, and it ends the first. An acknowledgement is a silence of the promise,
since there is no other; when it ends, the alert is announced again, so it is the same in every round.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import msgspec

from services.delivery.channels.credentials import Credentials
from services.delivery.channels.http_client import Request, json_request
from services.delivery.domain.notice import Notice, facts, headline, links, quoted
from services.delivery.domain.outcome import Outcome, of_service, read_json
from services.delivery.domain.retry import EndpointResponse

FIRES_FOR = timedelta(days=7)
"""Without an end of its own an alert ends after five minutes, as if it had been resolved."""

TEST_FIRES_FOR = timedelta(minutes=5)
_DUE_SOON, _OVERDUE, _TEST = "BatonPromiseDueSoon", "BatonPromiseOverdue", "BatonTest"
_INFO, _WARNING, _ERROR, _CRITICAL = "info", "warning", "error", "critical"


class _Answer(msgspec.Struct):
    silence_id: str = msgspec.field(default="", name="silenceID")


def request(notice: Notice, credentials: Credentials) -> Request:
    """The alerts of the promise as they are from now on, or a silence of them."""
    headers = {"authorization": value} if (value := credentials.get("authorization")) else {}
    base = credentials.need("url").rstrip("/")
    if notice.kind == "acknowledged":
        return json_request(f"{base}/api/v2/silences", _silence(notice), **headers)
    return json_request(f"{base}/api/v2/alerts", list(_alerts(notice)), **headers)


def outcome(answer: EndpointResponse) -> Outcome:
    """200 with nothing for alerts, with the id of the silence for one, and no other success."""
    empty = not answer.cut_off and not answer.body.strip()
    said = read_json(answer.body, _Answer) or _Answer()
    return of_service(answer, its_own=answer.status == 200 and (empty or said.silence_id != ""))


def _alerts(notice: Notice) -> Iterator[dict[str, Any]]:
    match notice.kind:
        case "test":
            yield _firing(notice, _TEST, _INFO, TEST_FIRES_FOR)
        case "warning":
            yield _firing(notice, _DUE_SOON, _WARNING, FIRES_FOR)
        case "breach" | "exhausted":
            yield _ended(notice, _DUE_SOON, _WARNING)
            yield _firing(notice, _OVERDUE, _CRITICAL if notice.page else _ERROR, FIRES_FOR)
        case "closed":
            yield _ended(notice, _DUE_SOON, _WARNING)
            yield _ended(notice, _OVERDUE, _ERROR)
            yield _ended(notice, _OVERDUE, _CRITICAL)


def _firing(notice: Notice, name: str, severity: str, fires_for: timedelta) -> dict[str, Any]:
    shown = links(notice)
    return {
        "labels": _labels(notice, name, severity),
        "annotations": _annotations(notice),
        "startsAt": notice.at.isoformat(),
        "endsAt": (notice.at + fires_for).isoformat(),
        **({"generatorURL": shown[0].url} if shown else {}),
    }


def _ended(notice: Notice, name: str, severity: str) -> dict[str, Any]:
    return {"labels": _labels(notice, name, severity), "endsAt": notice.at.isoformat()}


def _labels(notice: Notice, name: str, severity: str) -> Mapping[str, str]:
    return {
        "alertname": name,
        "incident": notice.matter_id,
        "role": notice.recipient.role,
        "severity": severity,
    }


def _annotations(notice: Notice) -> Mapping[str, str]:
    lines = [f"{fact.label}: {fact.text}" for fact in facts(notice)]
    lines += quoted(notice)
    lines += [f"{link.label}: {link.url}" for link in links(notice)]
    return {"summary": headline(notice), "description": "\n".join(lines), "promise": notice.promise}


def _silence(notice: Notice) -> dict[str, Any]:
    return {
        "matchers": [{"name": "incident", "value": notice.matter_id, "isRegex": False, "isEqual": True}],
        "startsAt": notice.at.isoformat(),
        "endsAt": (notice.until or notice.at + FIRES_FOR).isoformat(),
        "createdBy": notice.by or "Baton",
        "comment": headline(notice),
    }
