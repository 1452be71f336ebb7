"""Microsoft Teams: posts an Adaptive Card to the webhook of a workflow (`url`).

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using. All text is in text
runs, which have no Markdown: what a buyer wrote is shown as it is.
"""

from collections.abc import Iterator
from typing import Any

from services.delivery.channels.credentials import Credentials
from services.delivery.channels.http_client import Request, json_request
from services.delivery.domain.notice import Link, Notice, facts, headline, links, wrote
from services.delivery.domain.notice_words import fit
from services.delivery.domain.outcome import Outcome, of_service, outcome_of, read_json
from services.delivery.domain.retry import EndpointResponse

LARGEST_MESSAGE = 28 * 1024
"""Bytes, with everything around the card."""

LONGEST_HEADLINE, LONGEST_FACT, LONGEST_TITLE, MOST_LINES, MOST_BUTTONS = 300, 500, 60, 40, 6


def request(notice: Notice, credentials: Credentials) -> Request:
    """A message with one card."""
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": list(_body(notice)),
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return json_request(credentials.need("url"), {"type": "message", "attachments": [attachment]})


def outcome(answer: EndpointResponse) -> Outcome:
    """202 from a workflow, with nothing or with JSON. A gateway may answer 2xx and report that the post failed."""
    empty = not answer.cut_off and not answer.body.strip()
    is_json = read_json(answer.body, dict[str, Any]) is not None
    says_error = b"error" in answer.body.lower() and (is_json or not answer.body.lstrip().startswith(b"<"))
    if says_error and outcome_of(answer).state == "taken":
        return Outcome("retry", f"answered {answer.status} with an error")
    return of_service(answer, its_own=answer.status == 202 and (empty or is_json))


def _body(notice: Notice) -> Iterator[dict[str, Any]]:
    color = "attention" if notice.kind in ("breach", "exhausted") else "default"
    yield _text(_run(fit(headline(notice), LONGEST_HEADLINE), weight="bolder", size="large", color=color))
    for fact in facts(notice):
        yield _text(_run(f"{fact.label}: ", weight="bolder"), _run(fit(fact.text, LONGEST_FACT)))
    if said := wrote(notice):
        yield _text(_run("The buyer wrote:", weight="bolder"))
        lines = [line for line in said.splitlines() if line.strip()]
        for line in (*lines[:MOST_LINES], " ".join(lines[MOST_LINES:])):
            if line:
                yield _text(_run(line, italic=True))
    shown = links(notice)
    for start in range(0, len(shown), MOST_BUTTONS):
        yield {"type": "ActionSet", "actions": [_button(link) for link in shown[start : start + MOST_BUTTONS]]}


def _button(link: Link) -> dict[str, Any]:
    return {"type": "Action.OpenUrl", "title": fit(link.label, LONGEST_TITLE), "url": link.url}


def _text(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **style: object) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **style}
