"""Text in messages: from outside made printable, in one line where it must be, and cut to what receivers can carry;
instants and steps in words."""

from collections.abc import Callable
from datetime import datetime

from shared.agreement_text import terms
from shared.domain.events import NextStep
from shared.domain.printable import printable
from shared.domain.zones import time_zone

MOST_LISTED = 6
PAGED = "ops"
"""The role that a page is for which names no one."""
_LONGEST_NAME = 120
_LONGEST_LINE = 300


def fit(text: str, limit: int, render: Callable[[str], str] = str) -> str:
    """`render(text)`, or that of its start with an ellipsis, in at most `limit` UTF-16 units: the strictest count that
    a receiver may use.

    >>> fit("Can we talk?", 8)
    'Can we…'
    """
    whole = render(text)
    if _units(whole) <= limit:
        return whole
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _units(render(text[:middle] + "…")) <= limit:
            low = middle
        else:
            high = middle - 1
    return render(text[:low].rstrip() + "…")


def _units(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


def joined(parts: tuple[str, ...], separator: str) -> str:
    """The parts in one line, and how many more there are than are listed."""
    shown = [line for part in parts[:MOST_LISTED] if (line := one_line(part))]
    more = len(parts) - MOST_LISTED
    return separator.join(shown) + (f"{separator}and {more} more" if more > 0 else "")


def one_line(text: str) -> str:
    """The text in one printable line."""
    return fit(printable(" ".join(text.split())), _LONGEST_LINE)


def short_name(text: str) -> str:
    """The text as a name in a line."""
    return fit(one_line(text), _LONGEST_NAME)


def clock(at: datetime, zone: str) -> str:
    """The instant in the zone, such as `Fri 27 Nov 10:05 CET`."""
    return f"{at.astimezone(time_zone(zone)):%a %d %b %H:%M %Z}"


def full_date(at: datetime, zone: str) -> str:
    """The instant in the zone with its year and the name of the zone."""
    return f"{at.astimezone(time_zone(zone)):%A %d %B %Y, %H:%M} ({zone})"


def step_in_words(step: NextStep) -> str:
    """What a step does: whom it notifies or pages, and whether it moves the lead."""
    notify = step.notify or ((PAGED,) if step.page else ())
    parts = ["the lead moves to another rep"] if step.moves else []
    if notify:
        are = "is" if len(notify) == 1 else "are"
        parts.append(f"{' and '.join(map(terms.role, notify))} {are} {'paged' if step.page else 'notified'}")
    return " and ".join(parts)
