"""The forms behind links in messages: only a grant acts, and every answer is a plain page with what to do."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from shared.domain.action_links import ActionLink, Grant, key_of, signed
from shared.domain.errors import Refused
from shared.http.action_pages import LARGEST_FORM, MOST_A_MINUTE, endpoint, page
from shared.http.asgi import ASGIApp, Message
from tests.kit.clocks import ManualClock

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
KEY = key_of("bk_0123456789abcdef")
LATER = int(NOW.timestamp()) + 60
GRANT = Grant("nt_1", "acknowledge", "esc_1", "ann", LATER)


class Acts:
    """Notes what was done."""

    def __init__(self) -> None:
        self.done: list[tuple[Grant, Mapping[str, str]]] = []

    async def __call__(self, grant: Grant, form: Mapping[str, str]) -> str:
        if form.get("for") == "never":
            raise Refused("`never` is no duration <b>.")
        self.done.append((grant, form))
        return "You acknowledged it."


def app(acts: Acts, key: bytes | None = KEY) -> ASGIApp:
    return endpoint(key, frozenset({"acknowledge"}), ManualClock(NOW), acts)


async def sent(to: ASGIApp, body: bytes, method: str = "POST") -> tuple[int, str, Mapping[bytes, bytes]]:
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        messages.append(message)

    await to({"type": "http", "method": method, "path": "/act/escalation", "headers": []}, receive, send)
    start, content = messages
    return start["status"], content["body"].decode(), dict(start["headers"])


def form(grant: Grant | ActionLink = GRANT, quiet: str = "", text: str = "") -> bytes:
    return urlencode({"grant": signed(KEY, grant), "for": quiet, "text": text}).encode()


async def test_a_grant_acts_with_what_the_form_says() -> None:
    acts = Acts()
    status, shown, headers = await sent(app(acts), form(quiet="1 hour"))
    assert (status, acts.done[0][0], acts.done[0][1]["for"]) == (200, GRANT, "1 hour")
    assert "You acknowledged it." in shown
    assert headers[b"cache-control"] == b"no-store"
    assert b"form-action 'self'" in headers[b"content-security-policy"]
    assert headers[b"referrer-policy"] == b"no-referrer"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
async def test_no_other_method_acts(method: str) -> None:
    acts = Acts()
    status, _, _ = await sent(app(acts), form(), method)
    assert (status, acts.done) == (405, [])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"grant=x",
        b"\xff",
        form(ActionLink("nt_1", "acknowledge", LATER)),
        form(Grant("nt_1", "accept", "ld_1", "ann", LATER)),
        form(Grant("nt_1", "acknowledge", "esc_1", "ann", LATER - 60)),
        form(text="x" * LARGEST_FORM),
        b"&".join([b"a=1"] * 50),
    ],
)
async def test_anything_else_changes_nothing_and_says_so(body: bytes) -> None:
    acts = Acts()
    status, shown, _ = await sent(app(acts), body)
    assert (status, acts.done) == (410, [])
    assert "Nothing was changed" in shown


async def test_a_refusal_is_shown_escaped() -> None:
    status, shown, _ = await sent(app(Acts()), form(quiet="never"))
    assert status == 422
    assert "`never` is no duration &lt;b&gt;." in shown


async def test_without_a_key_nothing_acts() -> None:
    acts = Acts()
    assert (await sent(app(acts, None), form()))[0] == 404
    assert acts.done == []


async def test_one_link_is_used_as_often_as_people_do() -> None:
    acts = Acts()
    to = app(acts)
    answers = [(await sent(to, form()))[0] for _ in range(MOST_A_MINUTE + 1)]
    assert answers == [200] * MOST_A_MINUTE + [429]
    assert (await sent(to, form(Grant("nt_2", "acknowledge", "esc_1", "ann", LATER))))[0] == 200


def test_a_page_shows_text_from_outside_as_text() -> None:
    shown = page("<script>", "\u202eJo & \x1b[2J").decode()
    assert "<script>" not in shown
    assert "\u202e" not in shown
    assert "Jo &amp;" in shown
