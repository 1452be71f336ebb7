"""Slack: an incoming webhook (`url`), or `chat.postMessage` with an app's `token` to a `channel`.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
https://docs.slack.dev/reference/methods/chat.postMessage. Links are links and not buttons: a button needs an app that
answers Slack's requests.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from services.delivery.channels.credentials import Credentials
from services.delivery.channels.http_client import Request, json_request
from services.delivery.domain.notice import Link, Notice, facts, headline, links, wrote
from services.delivery.domain.notice_words import fit
from services.delivery.domain.outcome import Outcome, not_understood, outcome_of, read_json
from services.delivery.domain.retry import EndpointResponse

API = "https://slack.com/api/chat.postMessage"
LONGEST_HEADER, LONGEST_TEXT, LONGEST_FIELD, MOST_FIELDS = 150, 3000, 2000, 10
_PASSING = {"fatal_error", "internal_error", "rate_limited", "ratelimited", "request_timeout", "service_unavailable"}
_CODE = re.compile(r"[a-z][a-z_]{0,60}")
_LINK_BREAKERS = str.maketrans({"<": "%3C", ">": "%3E", "|": "%7C", "&": "&amp;"})


class _Answer(msgspec.Struct):
    ok: bool
    error: str = ""


def request(notice: Notice, credentials: Credentials) -> Request:
    """The message as blocks, with its headline as the text of the notification."""
    content: dict[str, Any] = {
        "text": fit(headline(notice), LONGEST_TEXT, escaped),
        "blocks": list(_blocks(notice)),
        "unfurl_links": False,
        "unfurl_media": False,
    }
    if token := credentials.get("token"):
        content["channel"] = credentials.need("channel")
        return json_request(credentials.get("api", API), content, authorization=f"Bearer {token}")
    return json_request(credentials.need("url"), content)


def outcome(answer: EndpointResponse) -> Outcome:
    """A webhook answers `ok` or a code as text; the API always answers 200, and says in JSON what happened."""
    if answer.status != 200:
        code = answer.body.decode("latin-1").strip()
        return outcome_of(answer, code if _CODE.fullmatch(code) else "")
    if answer.body.strip() == b"ok":
        return outcome_of(answer)
    said = read_json(answer.body, _Answer)
    if said is None or not (said.ok or _CODE.fullmatch(said.error)):
        return not_understood(answer)
    if said.ok:
        return outcome_of(answer)
    return Outcome("retry" if said.error in _PASSING else "failed", f"answered {said.error}", answer.retry_after_s)


def escaped(text: str) -> str:
    """The text so that Slack shows it as it is.

    >>> escaped("<!channel> & co")
    '&lt;!channel&gt; &amp; co'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _blocks(notice: Notice) -> Iterator[dict[str, Any]]:
    yield {"type": "header", "text": {"type": "plain_text", "text": fit(headline(notice), LONGEST_HEADER, escaped)}}
    pairs = [f"*{fact.label}*\n{fit(fact.text, LONGEST_FIELD - 50, escaped)}" for fact in facts(notice)]
    for start in range(0, len(pairs), MOST_FIELDS):
        yield {"type": "section", "fields": [_text(pair) for pair in pairs[start : start + MOST_FIELDS]]}
    if said := wrote(notice):
        yield {"type": "section", "text": _text("*The buyer wrote*\n" + fit(said, LONGEST_TEXT - 50, _quoted))}
    row = [_link(link) for link in links(notice)]
    one = "  |  ".join(row)
    for text in filter(None, [one] if len(one) <= LONGEST_TEXT else row):
        yield {"type": "section", "text": _text(text)}


def _text(text: str) -> dict[str, Any]:
    # `verbatim` keeps Slack from making links and mentions of what a buyer wrote.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _quoted(text: str) -> str:
    return "\n".join(f">{line}" for line in escaped(text).splitlines())


def _link(link: Link) -> str:
    return f"<{link.url.translate(_LINK_BREAKERS)}|{escaped(link.label).replace('|', '/')}>"
