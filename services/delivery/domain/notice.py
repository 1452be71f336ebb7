"""What a message about a promise says, as plain text that each channel lays out in its own markup.

Text from outside is made printable and cut to a length that every channel can carry. A channel adds the escaping of its
markup and nothing to the wording.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from services.delivery.domain.notice_words import MOST_LISTED, clock, fit, full_date, joined, one_line, short_name
from shared.domain.printable import printable

NoticeKind = Literal["warning", "breach", "exhausted", "acknowledged", "closed", "test"]

ROUND = "~"
"""Before the number of the round in an incident, from the second one on."""

_LONGEST_MESSAGE = 1_500
_LONGEST_URL = 1_000
_LONGEST_LABEL = 80
_OF_EACH = 3
_HANDED_OVER_LATE = "the pipeline: the lead was handed over too late for the rep to keep the promise"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who the message is for, and in which role. `email` is empty if they have no address."""

    role: str
    name: str = field(repr=False)
    email: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who waits for an answer; empty where unknown."""

    name: str = field(default="", repr=False)
    company: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Link:
    """What the recipient can do, such as `Accept`, at a signed URL of ours."""

    label: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one recipient about one promise.

    `notice_id` is the same on every attempt, and `incident_id` (at most 255 characters) in all notices about the
    same promise until someone acknowledges it: a pager closes what it opened by it. `page` asks to wake someone; a
    notice that closes has the `page` of what it closes. `at` is when it happened, and `due_at` is shown in `zone`,
    the rep's. `promise` is its name for readers. `rep` owns the lead, by the reason `why_rep`. `read` are the pages
    and materials that the buyer looked at, `campaign` is what brought them. `by` is who acknowledged, until
    `until`, or what closed it, such as `met`. A notice about a group of `count` leads, or promises as
    `counts` says, names the first of them in `leads`, a line for each, and has no buyer and no rep. `pace` is how a
    promise about a period goes. `kept_by` are the activities that keep it. Unless someone acts, `next_does` happens at
    `next_at`. `ran_out` is set if it is due again because an acknowledgement ran out, `handed_over_late` if the breach
    is not the rep's fault. `owed_by` is who owes a promise that is not the rep's. `not_taken_by` are the channels, by
    their names for readers, that were tried before and did not take it.
    """

    notice_id: str
    incident_id: str
    kind: NoticeKind
    page: bool
    at: datetime
    due_at: datetime
    zone: str
    promise: str
    recipient: Recipient
    buyer: Buyer = Buyer()
    rep: str = field(default="", repr=False)
    why_rep: str = field(default="", repr=False)
    wrote: str = field(default="", repr=False)
    read: tuple[str, ...] = field(default=(), repr=False)
    campaign: str = field(default="", repr=False)
    score: int | None = None
    reasons: tuple[str, ...] = ()
    by: str = field(default="", repr=False)
    until: datetime | None = None
    links: tuple[Link, ...] = field(default=(), repr=False)
    pace: str = ""
    count: int = 1
    counts: str = "leads"
    leads: tuple[str, ...] = field(default=(), repr=False)
    handed_over_late: bool = False
    owed_by: str = field(default="", repr=False)
    ran_out: bool = False
    kept_by: str = ""
    next_at: datetime | None = None
    next_does: str = ""
    not_taken_by: tuple[str, ...] = ()

    @property
    def matter_id(self) -> str:
        """The incident without its round: the same for all notices about a promise."""
        return self.incident_id.partition(ROUND)[0]


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a message: what it is about, and what there is to know."""

    label: str
    text: str = field(repr=False)


def headline(notice: Notice) -> str:
    """The message in one line: what happened, to which promise, for which buyer, and the time that matters."""
    if notice.kind == "test":
        return f"Test message from Baton to {one_line(notice.recipient.role)}: nothing to do"
    subject = ", ".join(filter(None, (short_name(notice.promise), _whose(notice))))
    by, pace = short_name(notice.by), f"; {one_line(notice.pace)}" if notice.pace else ""
    match notice.kind:
        case "warning":
            first = "the first " if notice.count > 1 else ""
            return f"Due soon: {subject}, {first}by {clock(notice.due_at, notice.zone)}{pace}"
        case "breach":
            first = "first " if notice.count > 1 else ""
            start = "Overdue again, the acknowledgement ran out" if notice.ran_out else "Overdue"
            return f"{start}: {subject}, {first}was due {clock(notice.due_at, notice.zone)}{pace}"
        case "exhausted":
            first = "first " if notice.count > 1 else ""
            due = clock(notice.due_at, notice.zone)
            over = "nobody has acted on it, and nothing more will follow"
            return f"Still overdue: {subject}, {first}was due {due}{pace}; {over}"
        case "acknowledged":
            until = f" until {clock(notice.until, notice.zone)}" if notice.until else ""
            return f"Acknowledged by {by}{until}: {subject}"
        case "closed":
            return f"Closed, nothing left to do ({by}): {subject}"


def grouped(
    notices: Sequence[Notice], count: int, *, notice_id: str, incident_id: str, several: bool = False
) -> Notice:
    """One notice about `count` leads, of which `notices` are the first, due first: all of one kind, to one recipient.
    `several` is whether all of them are about more than one promise.

    `due_at` is the first that is due. `until` is left out unless it is known to be the same for all.
    """
    first = notices[0]
    promises = list(dict.fromkeys(notice.promise for notice in notices))
    if several and len(promises) == 1:
        promises.append("others")
    several, whole = len(promises) > 1, count == len(notices)
    return replace(
        first,
        notice_id=notice_id,
        incident_id=incident_id,
        promise=joined(tuple(promises), ", "),
        by=", ".join(dict.fromkeys(notice.by for notice in notices)),
        until=first.until if whole and len({notice.until for notice in notices}) == 1 else None,
        buyer=Buyer(),
        rep="",
        owed_by="",
        why_rep="",
        wrote="",
        read=(),
        campaign="",
        score=None,
        reasons=(),
        links=tuple(link for notice in notices[:MOST_LISTED] for link in _of_lead(notice)),
        pace="",
        kept_by="" if several else first.kept_by,
        next_at=None,
        ran_out=whole and all(notice.ran_out for notice in notices),
        handed_over_late=False,
        count=count,
        counts="promises" if several or first.pace else "leads",
        leads=tuple(_lead_line(notice, named=several) for notice in notices[:MOST_LISTED]),
    )


def facts(notice: Notice) -> tuple[Fact, ...]:
    """What the recipient should know, most important first; nothing that is unknown. What the buyer wrote is apart."""
    return tuple(Fact(label, text) for label, text in _facts(notice) if text)


def wrote(notice: Notice) -> str:
    """What the buyer wrote, with its lines; empty if nothing."""
    return fit(printable(notice.wrote.strip(), lines=True), _LONGEST_MESSAGE)


def quoted(notice: Notice) -> list[str]:
    """What the buyer wrote as lines of plain text; empty if nothing. Each is marked, so that none looks like a fact or
    a link of ours.
    """
    said = wrote(notice)
    return ["The buyer wrote:", *(f"> {line}" for line in said.splitlines())] if said else []


def links(notice: Notice) -> tuple[Link, ...]:
    """The links to show: three for each lead that is named, at most six for one; none is so long that a message with it
    may be too large.
    """
    most = _OF_EACH * MOST_LISTED if notice.count > 1 else MOST_LISTED
    return tuple(link for link in notice.links if len(link.url) <= _LONGEST_URL)[:most]


def _facts(notice: Notice) -> Iterator[tuple[str, str]]:
    buyer = notice.buyer
    if notice.count > 1:
        yield notice.counts.capitalize(), _leads(notice)
    yield (
        "First due" if notice.count > 1 else "Due",
        "" if notice.kind == "test" else full_date(notice.due_at, notice.zone),
    )
    yield "How it goes", one_line(notice.pace)
    yield "Kept by", one_line(notice.kept_by)
    yield "If nobody acts", _next(notice)
    yield "Buyer", joined((buyer.name, buyer.company), ", ")
    yield "Contact", joined((buyer.email, buyer.phone), ", ")
    yield "Score", _score(notice)
    yield "Read", joined(notice.read, "; ")
    yield "Campaign", short_name(notice.campaign)
    yield "Owed by", short_name(notice.owed_by)
    yield "Rep", short_name(notice.rep)
    yield "Charged to", _HANDED_OVER_LATE if notice.handed_over_late else ""
    yield "Why this rep", one_line(notice.why_rep)
    yield "You get this as", short_name(notice.recipient.role)
    yield "Not taken by", joined(notice.not_taken_by, ", ")


def _next(notice: Notice) -> str:
    at = notice.next_at
    return f"{one_line(notice.next_does)} at {clock(at, notice.zone)}" if at is not None else ""


def _of_lead(notice: Notice) -> Iterator[Link]:
    """The first links of one of several leads, which say which lead it is."""
    of = _whose(notice) or f"due {clock(notice.due_at, notice.zone)}"
    for link in notice.links[:_OF_EACH]:
        yield Link(fit(f"{link.label}: {of}", _LONGEST_LABEL), link.url)


def _leads(notice: Notice) -> str:
    shown = [one_line(line) for line in notice.leads[:MOST_LISTED]]
    more = notice.count - len(shown)
    return "; ".join([*shown, f"and {more} more"] if more > 0 else shown)


def _lead_line(notice: Notice, *, named: bool) -> str:
    buyer = " of ".join(filter(None, (short_name(notice.buyer.name), short_name(notice.buyer.company))))
    who = ", ".join(filter(None, (buyer, short_name(notice.promise) if named or not buyer else "")))
    whose = f" ({short_name(notice.rep)})" if notice.rep else ""
    pace = f", {one_line(notice.pace)}" if notice.pace else ""
    late = ", charged to the pipeline" if notice.handed_over_late else ""
    return f"{who}{whose}, {clock(notice.due_at, notice.zone)}{pace}{late}"


def _whose(notice: Notice) -> str:
    if notice.count > 1:
        return f"{notice.count} {notice.counts}"
    return " of ".join(filter(None, (short_name(notice.buyer.name), short_name(notice.buyer.company))))


def _score(notice: Notice) -> str:
    reasons = joined(notice.reasons, "; ")
    return reasons if notice.score is None else ": ".join(filter(None, (str(notice.score), reasons)))
