"""Who a buyer is, and what they wrote and read, for messages to people: bounded, and only what messages show."""

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from shared.domain.events import InquiryReceived
from shared.domain.instants import EARLIEST
from shared.domain.lead import Signal

LONGEST_MESSAGE, LONGEST_PART, LONGEST_ADDRESS, MOST_READ = 2_000, 200, 320, 6


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is stored of a person's inquiries. Who they are, `page`, `campaign` and what they `read` are of the latest
    one, accepted at `at`; `wrote` is of the latest with a message, accepted at `wrote_at`. What was accepted up to
    `erased_at` is erased and stays so.
    """

    at: datetime | None = None
    page: str = ""
    campaign: str = ""
    read: tuple[str, ...] = ()
    wrote: str = ""
    wrote_at: datetime | None = None
    name: str = ""
    company: str = ""
    email: str = ""
    phone: str = ""
    erased_at: datetime | None = None


def with_inquiry(known: Said, event: InquiryReceived) -> Said:
    """What is known after this inquiry, in whatever order inquiries are read. A test says nothing about a buyer."""
    at = event.accepted_at
    if event.test or (known.erased_at is not None and at <= known.erased_at):
        return known
    if known.at is None or at >= known.at:
        latest = sorted(event.signals, key=lambda signal: signal.at, reverse=True)
        read = dict.fromkeys(filter(None, map(_looked_at, latest)))
        contact = event.contact
        known = msgspec.structs.replace(
            known, at=at, page=_page(event.page_url or ""), campaign=(event.campaign or "")[:LONGEST_PART],
            read=tuple(read)[:MOST_READ],
            name=" ".join(filter(None, (contact.first_name, contact.last_name)))[:LONGEST_PART],
            company=(event.company.name or "")[:LONGEST_PART], email=(contact.email or "")[:LONGEST_ADDRESS],
            phone=(contact.phone or "")[:LONGEST_PART],
        )  # fmt: skip
    wrote = (event.message or "").strip()[:LONGEST_MESSAGE]
    if wrote and (known.wrote_at is None or at >= known.wrote_at):
        known = msgspec.structs.replace(known, wrote=wrote, wrote_at=at)
    return known


def erased(known: Said, at: datetime) -> Said:
    """Nothing but that everything up to this instant is erased; of what is later, all stays."""
    if known.erased_at is not None and known.erased_at >= at:
        return known
    left = known if known.at is not None and known.at > at else Said()
    words = known if known.wrote_at is not None and known.wrote_at > at else Said()
    return msgspec.structs.replace(left, wrote=words.wrote, wrote_at=words.wrote_at, erased_at=at)


def together(each: Iterable[Said]) -> Said:
    """What one person said under several ids: the latest of each part."""
    found = list(each)
    latest = max(found, key=lambda said: said.at or EARLIEST, default=Said())
    words = max(found, key=lambda said: said.wrote_at or EARLIEST, default=Said())
    return msgspec.structs.replace(latest, wrote=words.wrote, wrote_at=words.wrote_at)


def _page(url: str) -> str:
    """The page without its query, which may hold more than which page it is.

    >>> _page("https://acme.example/pricing?email=jo@example.com#top")
    'acme.example/pricing'
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    return (host + parts.path.rstrip("/"))[:LONGEST_PART]


def _looked_at(signal: Signal) -> str:
    return (signal.content_id or (signal.path or "").partition("?")[0])[:LONGEST_PART]
