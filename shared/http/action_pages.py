"""The plain pages behind the links in messages: without a login, a script, or anything from elsewhere.

What changes something is a form with a grant, posted. To open a page changes nothing, since mail scanners open links.
"""

import asyncio
import base64
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from html import escape
from urllib.parse import parse_qsl

from shared import log
from shared.domain.action_links import Action, Grant, LinkRefused, read
from shared.domain.errors import Problem, Unavailable
from shared.domain.printable import printable
from shared.http.asgi import ASGIApp, Receive, Scope, Send, send_response
from shared.ports import Clock

NOT_IN_USE = "Links in messages are not in use here. Open the lead in Baton instead."
LARGEST_FORM = 16 * 1024
FORM_S = 10.0
MOST_A_MINUTE = 20
"""Requests with one link or grant; more are people's mistakes or an attack."""
_MOST_REMEMBERED = 10_000
_STYLE = (
    "body{font:1.0625rem/1.5 system-ui,sans-serif;max-width:34rem;margin:0 auto;padding:1.5rem 1rem;color:#1a1a1a;"
    "background:#fff}h1{font-size:1.375rem;line-height:1.25;margin:0 0 1rem;overflow-wrap:anywhere}"
    "p{margin:0 0 1rem;overflow-wrap:anywhere}label{display:block;font-weight:600;margin:1rem 0 .25rem}"
    "select,textarea,input,button{font:inherit;width:100%;box-sizing:border-box;padding:.75rem;border-radius:.5rem;"
    "border:1px solid #767676;background:inherit;color:inherit}button{margin-top:1.25rem;border:0;background:#1f4fd8;"
    "color:#fff;font-weight:600;min-height:3rem}:focus-visible{outline:3px solid #1f4fd8;outline-offset:2px}"
    "small{color:#555}@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}small{color:#aaa}"
    "button{background:#3d6df2}}"
)
_STYLE_HASH = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    "x-robots-tag": "noindex, nofollow",
}
Act = Callable[[Grant, Mapping[str, str]], Awaitable[str]]
"""Takes the action of a grant, with what the form says; returns a sentence about it. Raises `Problem`."""


class TooOften(Problem):
    """One link is used more often than people do."""

    status = 429
    title = "Too many requests"


class Pace:
    """Counts the uses of each link in the current minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._uses: OrderedDict[tuple[str, int], int] = OrderedDict()

    def count(self, notice_id: str) -> None:
        """One more use. Raises `TooOften`."""
        key = (notice_id, int(self._clock.monotonic() // 60))
        self._uses[key] = uses = self._uses.pop(key, 0) + 1
        while len(self._uses) > _MOST_REMEMBERED:
            self._uses.popitem(last=False)
        if uses > MOST_A_MINUTE:
            raise TooOften("This link is used too often. Wait a minute, then open it again.")


def page(title: str, text: str, form: str = "") -> bytes:
    """A page with a heading, a paragraph and, if given, a form as HTML. The heading and the text are escaped."""
    shown = [escape(printable(part, lines=True)) for part in (title, text)]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" '
        f'content="light dark"><title>{shown[0]} · Baton</title><style>{_STYLE}</style></head>'
        f"<body><main><h1>{shown[0]}</h1><p>{shown[1]}</p>{form}</main></body></html>"
    ).encode()


def endpoint(key: bytes | None, path_actions: frozenset[Action], clock: Clock, act: Act) -> ASGIApp:
    """An ASGI app that takes posted forms with a grant for one of the actions, and answers with pages. Who checked the
    form before gives the grant in the URL.
    """
    pace = Pace(clock)

    async def serve(scope: Scope, receive: Receive) -> tuple[int, bytes]:
        if scope["method"] != "POST":
            return 405, page("Nothing was changed", "Open the link in the message, and use the button on its page.")
        if key is None:
            return 404, page("Nothing was changed", NOT_IN_USE)
        form = await posted_form(receive)
        granted = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), max_num_fields=20)).get("grant")
        grant = read(key, granted or form.get("grant", ""), Grant, clock.now())
        if grant.action not in path_actions:
            raise LinkRefused("This form belongs to another page. Open the link in the message again.")
        pace.count(grant.notice_id)
        return 200, page("Done", await act(grant, form))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, body = await serve(scope, receive)
        except LinkRefused as refused:
            status, body = 410, page("Nothing was changed", str(refused))
        except Problem as problem:
            status, body = problem.status, page("Nothing was changed", problem.detail)
        except Exception as bug:
            log.get("links").error("action_failed", exc_info=bug)
            ours = Unavailable("Internal error; see the log. Open the link in the message again.")
            status, body = ours.status, page("Nothing was changed", ours.detail)
        headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        await send_response(send, status, b"" if scope["method"] == "HEAD" else body, headers)

    return app


async def posted_form(receive: Receive) -> Mapping[str, str]:
    """The posted fields. Raises `LinkRefused` for a body that is too large, too slow or no form."""
    body = b""
    try:
        async with asyncio.timeout(FORM_S):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > LARGEST_FORM or message["type"] == "http.disconnect":
                    raise LinkRefused("The form is too large. Write less, then send it again.")
                if not message.get("more_body"):
                    break
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20, errors="strict"))
    except (TimeoutError, ValueError):
        raise LinkRefused("The form did not arrive as it was sent. Open the link in the message again.") from None
