"""What people outside see of a running Baton: their inbox, their chat and their pager; and what a CRM is sent.

All wording that journeys look for is here: what tells the kinds of messages apart, and the names of links.
"""

import html
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.kit.mail_server import MailPeer
from tests.kit.subscribers import Receiver, receiving
from tests.kit.waiting import until

SOON, OVERDUE, CLOSED, ACKNOWLEDGED = "Due soon", "Overdue", "Closed", "Acknowledged"
EXHAUSTED = "nothing more will follow"
ACCEPT, ACKNOWLEDGE = "accept", "acknowledge"

_LOOK_AGAIN_S = 0.1
_LINK_OF_MAIL = re.compile(r"^(.+?): (https?://\S+)$", re.MULTILINE)
_LINK_OF_CHAT = re.compile(r"<(https?://[^|>]+)\|([^>]+)>")


@dataclass(frozen=True)
class Message:
    """A message as its reader has it: all of its text, and its links by their labels."""

    text: str
    links: Mapping[str, str]

    def link(self, does: str) -> str:
        """The link whose label begins with what it does."""
        [found] = [url for label, url in self.links.items() if label.lower().startswith(does)]
        return found


@dataclass
class Outside:
    """Everyone outside. Chat and pager are HTTP services; what a CRM got is in `crm`, unverified since it has another
    time.
    """

    client: httpx.AsyncClient
    mail: MailPeer
    chat: Receiver
    pager: Receiver
    crm: Receiver
    _events: dict[str, dict[str, Any]] = field(default_factory=dict)
    _read: int = 0

    def inbox(self, person: str, *about: str) -> list[Message]:
        """The mails to a person that have all of these words."""
        found = [mail for mail in self.mail.mails() if mail["X-RcptTo"] == f"{person}@acme.example"]
        return [each for each in map(_of_mail, found) if all(word in each.text for word in about)]

    async def mail_to(self, person: str, *about: str, number: int = 1) -> Message:
        """The mail to a person that has all of these words, awaited; of several, the one with that number."""
        return await self._awaited(lambda *words: self.inbox(person, *words), about, number)

    async def chat_with(self, *about: str, number: int = 1) -> Message:
        """A message in the chat, awaited."""
        return await self._awaited(lambda *words: _posted(self.chat, _of_chat, words), about, number)

    async def page_about(self, *about: str, number: int = 1) -> Message:
        """What the pager was told, awaited: its action is part of the text."""
        return await self._awaited(self.pages, about, number)

    def pages(self, *about: str) -> list[Message]:
        """What the pager was told so far."""
        return _posted(self.pager, _of_pager, about)

    async def event(self, kind: str, lead_id: str, **data: object) -> dict[str, Any]:
        """The data of the first event of this kind on a lead that has these values, awaited."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [each for each in self.events(kind, lead_id) if data.items() <= each.items()]
            return bool(found)

        try:
            await until(there, look_again_s=_LOOK_AGAIN_S)
        except TimeoutError:
            raise AssertionError(f"no {kind} with {data} on {lead_id}: {self.events(kind, lead_id)}") from None
        return found[0]

    def events(self, kind: str, lead_id: str) -> list[dict[str, Any]]:
        """The data of all events of this kind on a lead that the CRM has so far, each once."""
        for seen in self.crm.seen[self._read :]:
            self._events.setdefault(seen.headers["webhook-id"], json.loads(seen.body))
        self._read = len(self.crm.seen)
        ours = (event for event in self._events.values() if event["subject"] == lead_id)
        return [event["data"] for event in ours if event["type"] == f"baton.{kind}.v1"]

    async def press(self, link: str, **choices: str) -> str:
        """Open the link as a person without a login does, fill in its form and press its button; the page after it."""
        async with httpx.AsyncClient(timeout=30, follow_redirects=True) as browser:
            opened = await browser.get(link)
            assert opened.status_code == 200, opened.text
            form = _Form()
            form.feed(opened.text)
            assert set(choices) <= form.names, form.names
            posted = await browser.post(httpx.URL(link).join(form.action), data={**form.hidden, **choices})
        assert posted.status_code == 200, posted.text
        return posted.text

    async def _awaited(self, look: Callable[..., list[Message]], about: Sequence[str], number: int) -> Message:
        try:
            await until(lambda: len(look(*about)) >= number, look_again_s=_LOOK_AGAIN_S)
        except TimeoutError:
            there = "\n---\n".join(each.text for each in look())
            raise AssertionError(f"no message {number} with {about}, but:\n{there}") from None
        return look(*about)[number - 1]


@asynccontextmanager
async def outside(
    url: str, headers: dict[str, str], mail: MailPeer, places: Mapping[str, int]
) -> AsyncIterator[Outside]:
    """Everyone, with a CRM that gets every event. `places` are the ports of the chat and the pager."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, headers=headers, timeout=30))
        chat = await stack.enter_async_context(receiving((200, {}, b"ok"), port=places["chat"]))
        pager = await stack.enter_async_context(receiving((202, {}, b'{"status":"success"}'), port=places["pager"]))
        crm = await stack.enter_async_context(receiving(204))
        answer = await client.post("/v1/subscriptions", json={"url": crm.url, "events": ["*"]})
        assert answer.status_code == 201, answer.text
        yield Outside(client, mail, chat, pager, crm)


def _of_mail(mail: EmailMessage) -> Message:
    plain = mail.get_body(("plain",))
    assert plain is not None
    text = f"{mail['Subject'].strip()}\n{plain.get_content()}"
    return Message(text, dict(_LINK_OF_MAIL.findall(text)))


def _of_chat(said: dict[str, Any]) -> Message:
    text = "\n".join(_texts(said))
    return Message(text, {label: html.unescape(url) for url, label in _LINK_OF_CHAT.findall(text)})


def _of_pager(said: dict[str, Any]) -> Message:
    return Message("\n".join(_texts(said)), {each["text"]: each["href"] for each in said.get("links", ())})


def _posted(receiver: Receiver, read: Any, about: tuple[str, ...]) -> list[Message]:
    once = {seen.body: read(json.loads(seen.body)) for seen in receiver.seen}
    return [each for each in once.values() if all(word in each.text for word in about)]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from (f"{name}: {text}" if isinstance(inner, str) else text for text in _texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif value is not None:
        yield str(value)


class _Form(HTMLParser):
    """The one form of a page: where it posts to, what it hides, and the names of what can be filled in."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.hidden: dict[str, str] = {}
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.action = given.get("action") or ""
        elif given.get("type") == "hidden":
            self.hidden[given["name"] or ""] = given.get("value") or ""
        elif tag in ("input", "select", "textarea"):
            self.names.add(given.get("name") or "")
