"""Which links a message has: what its recipient can do about the promise, and the page of the lead."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import quote

from services.delivery.domain.due_notices import DueNotice
from services.delivery.domain.notice import Link
from shared.domain.action_links import LINK_S, Action, ActionLink, signed
from shared.domain.agreement import Agreement

PATH = "/act/"
_LABELS: dict[Action, str] = {"accept": "Accept the lead", "reject": "Reject the lead", "acknowledge": "Acknowledge"}
_GOES_ON = (None, "met", "breached", "answered late", "breach retracted")
"""How a promise ends while its lead goes on with the same rep."""


@dataclass(frozen=True, slots=True)
class LinkMaker:
    """Makes links to Baton at `url`, signed with `key`."""

    url: str
    key: bytes = field(repr=False)


def why_no_links(url: str | None, key: bytes | None) -> str | None:
    """Why messages have no links; None if they have."""
    if url is None:
        return "messages have no links, because BATON_PUBLIC_URL is not set"
    return None if key is not None else "messages have no links, because BATON_ADMIN_KEY is not set"


def links_for(maker: LinkMaker | None, due: DueNotice, agreement: Agreement) -> tuple[Link, ...]:
    """The links of a message; the same on every attempt. They expire a week after what the message is about."""
    if maker is None:
        return ()
    base, until = maker.url.rstrip("/"), int((due.at + timedelta(seconds=LINK_S)).timestamp())
    found = [
        Link(_LABELS[action], base + PATH + signed(maker.key, ActionLink(due.notice_id, action, until)))
        for action in _actions(due, agreement)
    ]
    if not is_period(due):
        found.append(Link("Open the lead", f"{base}/leads/{quote(due.lead_id, safe='')}"))
    return tuple(found)


def why_not(action: Action, due: DueNotice, rep: str | None) -> str | None:
    """Why the action of a message's link would be wrong by now; None if it can be taken. `rep` has the lead now, if
    anyone.
    """
    if action == "acknowledge":
        return f"It is over already ({due.over}): there is nothing to do." if due.over is not None else None
    if due.over not in _GOES_ON:
        return f"It is over already ({due.over}): there is nothing to do."
    if not rep:
        return "Nobody has this lead any more: there is nothing to do."
    return f"{rep} has this lead now: there is nothing to do for you." if rep != due.person else None


def _actions(due: DueNotice, agreement: Agreement) -> Iterator[Action]:
    if due.person is None or due.kind not in ("warning", "breach", "exhausted"):
        return
    if due.role == "rep" and due.person == due.owner and due.promise in agreement.promises and not is_period(due):
        yield from ("accept", "reject")
    if due.escalation_id is not None:
        yield "acknowledge"


def is_period(due: DueNotice) -> bool:
    """Whether the promise is about a period instead of a lead."""
    return due.lead_id.startswith("period:")
