"""What the links in messages are signed with, so that their recipients can act without a login.

A link says which notice it came with, for which action, and until when; nothing about anyone. The page behind it looks
up the rest, and its form has a grant: what the action is about and who acts, for a few minutes. Only the grant acts.
A form about a lead has a claim instead: it names how the person got the lead, and becomes a grant for a minute if that
is still so when the form is sent. All are JSON and its HMAC with a key that is derived from the administrator's, in
URL-safe base64.
"""

import base64
import binascii
import hmac
from datetime import datetime
from hashlib import sha256
from typing import Literal, TypeVar

import msgspec

Action = Literal["accept", "reject", "acknowledge"]

LINK_S = 7 * 24 * 60 * 60
GRANT_S = 15 * 60
CLAIMED_S = 60
_LONGEST = 2_000
_MAC_BYTES = 16
AGAIN = "Open the link in the message again, whole."


class ActionLink(msgspec.Struct, frozen=True, array_like=True, tag="link"):
    """The right to open the page of one action of one notice, until `until` (Unix seconds)."""

    notice_id: str
    action: Action
    until: int


class Grant(msgspec.Struct, frozen=True, array_like=True, tag="grant"):
    """The right of `person` to take one action on `subject`, the id of a lead or an escalation, until `until`."""

    notice_id: str
    action: Action
    subject: str
    person: str
    until: int


class Claim(msgspec.Struct, frozen=True, array_like=True, tag="claim"):
    """That `person` has the lead `subject` by this `assignment`, until `until`. It does not act: it becomes a grant if
    it is true when the form is sent.
    """

    notice_id: str
    action: Action
    subject: str
    person: str
    assignment: str
    until: int


T = TypeVar("T", ActionLink, Grant, Claim)


class LinkRefused(Exception):
    """The link or grant is not ours, or too old; the message says what to do."""


def key_of(secret: str) -> bytes:
    """The key for links, from the administrator's. It can't be computed back."""
    return hmac.digest(secret.encode(), b"baton: links in messages", sha256)


def signed(key: bytes, token: ActionLink | Grant | Claim) -> str:
    """The token as text for a URL or a form.

    >>> key = key_of("a secret")
    >>> read(key, signed(key, ActionLink("nt_1", "accept", 2)), ActionLink, datetime.fromtimestamp(1))
    ActionLink(notice_id='nt_1', action='accept', until=2)
    """
    body = msgspec.json.encode(token)
    return base64.urlsafe_b64encode(_mac(key, body) + body).decode().rstrip("=")


def read(key: bytes, text: str, kind: type[T], now: datetime) -> T:
    """What was signed as this text. Raises `LinkRefused`. The signature is compared in constant time."""
    broken = LinkRefused(f"This link is not complete, or not from Baton. {AGAIN}")
    if len(text) > _LONGEST or not text.isascii():
        raise broken
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise broken from None
    mac, body = content[:_MAC_BYTES], content[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(key, body)):
        raise broken
    try:
        token = msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise broken from None
    if now.timestamp() >= token.until:
        raise LinkRefused(_over(token))
    return token


def _over(token: ActionLink | Grant | Claim) -> str:
    if isinstance(token, Grant | Claim):
        return f"This page was open for too long. {AGAIN}"
    return "This link has expired. Open the lead in Baton instead, or ask your operations team."


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, sha256)[:_MAC_BYTES]
