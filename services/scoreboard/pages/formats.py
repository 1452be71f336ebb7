"""How pages show instants, durations and states."""

from dataclasses import dataclass
from datetime import datetime

from services.scoreboard.domain.leads import LeadRow
from shared.domain.instants import clamped


@dataclass(frozen=True, slots=True)
class Badge:
    """A state as a word, an icon and a color, so that no state depends on color alone."""

    word: str
    icon: str
    tone: str


_BADGES = {
    "received": Badge("in flight", "clock", "quiet"),
    "assigned": Badge("assigned", "check", "good"),
    "parked": Badge("parked", "pause", "warn"),
    "rejected": Badge("rejected", "cross", "quiet"),
    "merged": Badge("merged", "merge", "quiet"),
    "closed": Badge("closed", "check", "quiet"),
    "firing": Badge("firing", "alert", "bad"),
    "acknowledged": Badge("acknowledged", "check", "warn"),
    "exhausted": Badge("exhausted", "alert", "bad"),
}
SOON_S = 300


def badge(state: str) -> Badge:
    """The badge of a lead's or an escalation's state."""
    return _BADGES.get(state, Badge(state, "dot", "quiet"))


def moment(at: datetime, now: datetime) -> str:
    """An instant as wall time in the zone of `now`, with the date unless it is today.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 11, 20, 9, 5, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
    '20 Nov 09:05'
    """
    local = clamped(at).astimezone(now.tzinfo)
    if local.date() == now.date():
        return f"{local:%H:%M}"
    year = "" if local.year == now.year else f" {local.year}"
    return f"{local.day} {local:%b}{year} {local:%H:%M}"


def span(seconds: float) -> str:
    """A duration in wall time.

    >>> span(59), span(3700), span(200000)
    ('0:59', '1:01:40', '2 d 7 h')
    """
    whole = int(abs(seconds))
    days, hours, minutes, rest = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    if days >= 2:
        return f"{days} d {hours} h"
    hours += days * 24
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def wait(since_at: datetime, now: datetime) -> str:
    """How long something has waited, to the minute.

    >>> from datetime import UTC, timedelta
    >>> noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    >>> [wait(noon, noon + timedelta(minutes=m)) for m in (0, 5, 130, 1500)]
    ['under a minute', '5 min', '2 h 10 min', '1 d 1 h']
    """
    minutes = int((now - since_at).total_seconds() // 60)
    if minutes < 1:
        return "under a minute"
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def countdown(due_at: datetime, now: datetime) -> Badge:
    """The time left of a running window, or how long it is overdue (until all facts are known)."""
    left = (due_at - now).total_seconds()
    if left <= 0:
        return Badge(f"{span(left)} overdue", "alert", "bad")
    return Badge(f"{span(left)} left", "clock", "warn" if left < SOON_S else "good")


def lead_name(lead: LeadRow | None, lead_id: str) -> str:
    """The name of a lead: the person's name, else an address, else the start of the id. That of a period, such as
    `period:volume:2026-11`, stands for all its leads.
    """
    if lead_id.startswith("period:"):
        return f"All leads, {lead_id.rpartition(':')[2]}"
    found = lead and (lead.name or lead.email or lead.phone)
    return found or f"Lead {lead_id[:10]}"


def number(value: int) -> str:
    """A count with thin spaces between thousands.

    >>> number(1234567)
    '1\\u202f234\\u202f567'
    """
    return f"{value:,}".replace(",", "\u202f")


def percent(share: float) -> str:
    """A share as a whole percentage, never rounded up to all or down to none.

    >>> percent(0.999), percent(0.001), percent(1.0)
    ('99 %', '1 %', '100 %')
    """
    whole = round(share * 100)
    if share < 1:
        whole = min(whole, 99)
    if share > 0:
        whole = max(whole, 1)
    return f"{whole} %"
