"""Any receiver of JSON: the content of a `template`, with the notice's values in place of names such as `{headline}`.

The template is parsed first and filled in afterwards, so no value can change its structure. `url` is the receiver;
`authorization`, if given, the header of that name. With a `secret` it is signed as events for subscribers are.
"""

import re
from collections.abc import Mapping
from typing import Any

from services.delivery.channels.credentials import Credentials
from services.delivery.channels.http_client import Request, json_request
from services.delivery.domain.notice import Notice, facts, headline, links, quoted
from services.delivery.domain.outcome import Outcome, Unsendable, outcome_of, read_json
from services.delivery.domain.retry import EndpointResponse

TEMPLATE = (
    '{"id": "{id}", "incident": "{incident}", "kind": "{kind}", "page": "{page}", "role": "{role}", '
    '"to": "{to}", "headline": "{headline}", "text": "{text}", "links": "{links}", "due_at": "{due_at}"}'
)
_NAME = re.compile(r"\{([a-z_]+)\}")


def request(notice: Notice, credentials: Credentials) -> Request:
    """The filled template. Raises `Unsendable` if it is not JSON or has a name that a notice does not have."""
    template = read_json(credentials.get("template", TEMPLATE), dict[str, Any])
    if template is None:
        raise Unsendable("the channel's template is not a JSON object")
    headers = {"authorization": value} if (value := credentials.get("authorization")) else {}
    return json_request(credentials.need("url"), _filled(template, _values(notice)), **headers)


def outcome(answer: EndpointResponse) -> Outcome:
    """Any 2xx: what such a receiver answers is not known."""
    return outcome_of(answer)


def _values(notice: Notice) -> Mapping[str, str]:
    lines = [*(f"{fact.label}: {fact.text}" for fact in facts(notice)), *quoted(notice)]
    return {
        "id": notice.notice_id,
        "incident": notice.incident_id,
        "kind": notice.kind,
        "page": "yes" if notice.page else "no",
        "role": notice.recipient.role,
        "to": notice.recipient.name,
        "headline": headline(notice),
        "text": "\n".join(lines),
        "links": "\n".join(f"{link.label}: {link.url}" for link in links(notice)),
        "due_at": notice.due_at.isoformat(),
    }


def _filled(part: Any, values: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {name: _filled(value, values) for name, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, values) for value in part]
    return _NAME.sub(lambda found: _value(found[1], values), part) if isinstance(part, str) else part


def _value(name: str, values: Mapping[str, str]) -> str:
    if name not in values:
        raise Unsendable(f"the channel's template has {{{name}}}. There are: {', '.join(values)}")
    return values[name]
