"""Small values in words: lists, numbers, shares, dates, times of day and lengths of time."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from shared.domain.agreement import Duration
from shared.domain.zones import time_zone

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def listed(items: Iterable[str], last: str = "and") -> str:
    """Several things as one phrase.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"], "or")
    ('a', 'a and b', 'a, b or c')
    """
    *before, end = list(items) or [""]
    return f"{', '.join(before)} {last} {end}" if before else end


def quoted(text: object) -> str:
    """A name or text of the file, set apart from the sentence around it."""
    return f"“{text}”"


def spaced(name: str) -> str:
    """A name of the file as words: `first_response` is `first response`."""
    return name.replace("_", " ")


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number of things.

    >>> counted(1, "lead"), counted(1200, "lead"), counted(2, "person", "people")
    ('1 lead', '1,200 leads', '2 people')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def number(value: Decimal | float) -> str:
    """A number with commas between thousands and no needless zeros.

    >>> number(1000), number(Decimal("500000.50")), number(0.5), number(Decimal("1E+3"))
    ('1,000', '500,000.5', '0.5', '1,000')
    """
    text = f"{Decimal(str(value)):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: Decimal | float) -> str:
    """A share from 0 to 1, as a percentage with a decimal only where the file has one.

    >>> percent(Decimal("0.6")), percent(Decimal("0.605"))
    ('60 %', '60.5 %')
    """
    return f"{number(Decimal(str(share)) * 100)} %"


def whole_percent(part: int, whole: int) -> str:
    """A part of a whole, rounded to whole percents.

    >>> whole_percent(1, 3), whole_percent(2, 3)
    ('33 %', '67 %')
    """
    return f"{(200 * part + whole) // (2 * whole)} %" if whole else "0 %"


def day(value: date) -> str:
    """A date: `1 December 2026`."""
    return f"{value.day} {value:%B %Y}"


def moment(at: datetime, zone: str) -> str:
    """An instant in a zone's wall time: `1 December 2026 at 00:00 (Europe/Brussels)`."""
    local = at.astimezone(time_zone(zone))
    return f"{day(local.date())} at {local:%H:%M} ({zone})"


def length(duration: Duration) -> str:
    """How long something is, whatever its sign.

    >>> length(Duration(900, business=True)), length(Duration(5400)), length(Duration(0, business=True, days=2))
    ('15 minutes of working time', '1 hour 30 minutes', '2 working days')
    """
    if duration.days:
        return counted(abs(duration.days), "working day")
    return seconds(duration.seconds) + (" of working time" if duration.business else "")


def seconds(amount: int) -> str:
    """Seconds in the largest exact units.

    >>> seconds(86400), seconds(90), seconds(-300), seconds(0)
    ('1 day', '1 minute 30 seconds', '5 minutes', '0 seconds')
    """
    parts, left = [], abs(amount)
    for size, unit in _UNITS:
        if left >= size:
            parts.append(counted(left // size, unit))
            left %= size
    return " ".join(parts) or "0 seconds"


def sentence(text: str) -> str:
    """A clause as a sentence: a capital in front, a full stop behind."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", ":", "?", "!")) else ".")
