"""Small values as people write them: `15 minutes`, `09:00-12:30`, `2 weeks`, `60%`, a date, a zone, `5000 EUR`.

Each reader accepts a value of any type from the file, and raises ValueError with a sentence that says what is
expected. The annotated types, with their JSON Schema, are in `shared.agreement_file.text.block`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, get_args
from zoneinfo import ZoneInfo, available_timezones

from shared.agreement_file.text.findings import proposal
from shared.domain.activities import Outcome, PromisedKind
from shared.domain.agreement import Duration
from shared.domain.calendar import DAY_S
from shared.domain.calendar import Span as DaySpan
from shared.domain.conditions import Money
from shared.domain.errors import Refused
from shared.domain.instants import RANGE, bounded, bounded_day
from shared.domain.zones import time_zone

UNIT_S = {"second": 1, "minute": 60, "hour": 3600, "day": DAY_S}
LONGEST_S = 366 * DAY_S
SHORTEST_TURN_S = 3600


class Answer(NamedTuple):
    """A kind of activity that a promise asks for; `outcomes` are those that count, None for the usual ones."""

    kind: str
    outcomes: tuple[str, ...] | None = None


class Closure(NamedTuple):
    """A date that is closed, or only during `hours` if there are any."""

    on: date
    hours: tuple[DaySpan, ...] = ()


_DURATION = re.compile(r"(-?)(\d{1,9}) (business )?([a-z]+?)s?", re.ASCII)
_TIME = re.compile(r"(\d\d):(\d\d)", re.ASCII)
_HOURS = re.compile(r"(\d\d):(\d\d) ?- ?(\d\d):(\d\d)", re.ASCII)
_SHARE = re.compile(r"(\d{1,9}(?:\.\d{1,4})?)%", re.ASCII)
_MONEY = re.compile(r"(\d{1,18}(?:\.\d{1,6})?) ([A-Z]{3})", re.ASCII)


def read_offset(written: object) -> Duration:
    """A duration that may be negative. Raises ValueError."""
    match = _DURATION.fullmatch(written) if isinstance(written, str) else None
    if match is None:
        raise ValueError(f"{shown(written)} is no duration: write a whole number and a unit, like `15 minutes`")
    sign, number, business, unit = match.groups()
    if unit not in UNIT_S:
        raise ValueError(f"`{unit}` is no unit of time: use seconds, minutes, hours or days")
    count = -int(number) if sign else int(number)
    if abs(count) * UNIT_S[unit] > LONGEST_S:
        raise ValueError(f"`{written}` is more than a year: write a shorter time")
    if business and unit == "day":
        return Duration(0, business=True, text=match.string, days=count)
    return Duration(count * UNIT_S[unit], business is not None, match.string)


def read_length(written: object) -> Duration:
    """A duration longer than nothing. Raises ValueError."""
    length = read_offset(written)
    if length.seconds <= 0 and length.days <= 0:
        raise ValueError(f"`{length.text}` leaves no time: write at least `1 second`")
    return length


def read_answer(written: object) -> Answer:
    """A kind of activity, alone or with the outcomes that count: `email`, `{call: [connected]}`. Raises ValueError."""
    if not isinstance(written, dict):
        return Answer(_one_of(written, get_args(PromisedKind)))
    if len(written) != 1:
        raise ValueError("write one activity with its outcomes, like `{call: [connected, voicemail]}`")
    [(kind, outcomes)] = written.items()
    if not isinstance(outcomes, list) or not outcomes:
        raise ValueError(f"list the outcomes that count, like `{{{kind}: [connected, voicemail]}}`")
    known = [_one_of(outcome, get_args(Outcome)) for outcome in outcomes]
    return Answer(_one_of(kind, get_args(PromisedKind)), tuple(dict.fromkeys(known)))


def read_times(written: object) -> int:
    """How often: `2 times`, from 1 to 9. Raises ValueError."""
    match = re.fullmatch(r"([1-9]) times?", written) if isinstance(written, str) else None
    if match is None:
        raise ValueError(f"{shown(written)} is no count: write `1 time` to `9 times`")
    return int(match[1])


def read_every(written: object) -> str:
    """A period of whole days, weeks or months, as text. Raises ValueError."""
    if isinstance(written, str) and re.fullmatch(r"[1-9]\d{0,2} (day|week|month)s?", written, re.ASCII):
        return written
    raise ValueError(f"{shown(written)} is no period: write it like `2 weeks` or `3 months`")


def read_hours(written: object) -> DaySpan:
    """Opening and close in seconds from midnight; a close that is not later is on the next day. Raises ValueError."""
    match = _HOURS.fullmatch(written) if isinstance(written, str) else None
    if match is None:
        raise ValueError(f"{shown(written)} are no hours: write them like `09:00-12:30`, up to 24:00")
    open_h, open_m, close_h, close_m = map(int, match.groups())
    opens_s, closes_s = open_h * 3600 + open_m * 60, close_h * 3600 + close_m * 60
    if open_m > 59 or close_m > 59 or opens_s >= DAY_S or closes_s > DAY_S:
        raise ValueError(f"`{written}` is not on the clock: hours go from 00:00 to 24:00, minutes to 59")
    if opens_s == closes_s:
        raise ValueError(f"`{written}` is no time at all: for a whole day write `00:00-24:00`")
    return opens_s, closes_s


def read_day(written: object) -> date:
    """A date. Raises ValueError."""
    if isinstance(written, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", written, re.ASCII):
        try:
            return bounded_day(date.fromisoformat(written))
        except ValueError:
            raise ValueError(f"`{written}` is not in the calendar: check month and day") from None
        except Refused:
            raise ValueError(f"`{written}` is out of range: use a date from {RANGE}") from None
    raise ValueError(f"{shown(written)} is no date: write it like `2026-12-24`")


def read_closure(written: object) -> Closure:
    """A closed date, whole or in part: `2026-12-24`, `{on: 2026-12-24, from: "12:00"}`, the same with `to`, or with a
    list of `hours`. Raises ValueError.
    """
    if not isinstance(written, dict):
        return Closure(read_day(written))
    if "on" not in written or not set(written) <= {"on", "from", "to", "hours"}:
        raise ValueError(
            'write the date and what is closed on it, like `{on: 2026-12-24, from: "12:00"}`, with `from`, `to` or '
            "both, or `{on: 2026-12-24, hours: [12:00-14:00]}`"
        )
    on, listed = read_day(written["on"]), written.get("hours", [])
    if not isinstance(listed, list) or ("hours" in written and not listed):
        raise ValueError("list the hours that are closed, like `hours: [12:00-14:00]`")
    if listed and len(written) > 2:
        raise ValueError("write `hours`, or `from` and `to`: not both")
    if "from" not in written and "to" not in written:
        return Closure(on, tuple(map(read_hours, listed)))
    starts, ends = read_time(written.get("from", "00:00")), read_time(written.get("to", "24:00"))
    if ends <= starts:
        raise ValueError("`from` must come before `to` on the same date")
    return Closure(on, () if (starts, ends) == (0, DAY_S) else ((starts, ends),))


def read_time(written: object) -> int:
    """A time of day in seconds from midnight, up to 24:00. Raises ValueError."""
    match = _TIME.fullmatch(written) if isinstance(written, str) else None
    at_s = int(match[1]) * 3600 + int(match[2]) * 60 if match else -1
    if match is None or int(match[2]) > 59 or at_s > DAY_S:
        raise ValueError(f"{shown(written)} is no time of day: write it like `12:00`, from 00:00 to 24:00")
    return at_s


def read_instant(written: object) -> datetime:
    """A date with or without a time and offset; naive without an offset. Raises ValueError."""
    if isinstance(written, str) and re.match(r"\d{4}-\d\d-\d\d", written, re.ASCII):
        try:
            at = datetime.fromisoformat(written)
            bounded(at if at.tzinfo else at.replace(tzinfo=UTC))
        except ValueError:
            pass
        except Refused:
            raise ValueError(f"{shown(written)} is out of range: use an instant from {RANGE}") from None
        else:
            return at
    raise ValueError(f"{shown(written)} is no point in time: write it like `2026-12-01T00:00:00+01:00`")


def instant_in(at: datetime, zone: ZoneInfo) -> datetime:
    """What `read_instant` found, in UTC; without an offset it is in the zone."""
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def read_end(written: object) -> datetime:
    """The end of a time: as `read_instant`, but a date without a time belongs to it. Raises ValueError."""
    at = read_instant(written)
    return at + timedelta(days=1) if len(str(written)) == len("2026-12-24") else at


def read_turn(written: object) -> int:
    """The seconds of a turn: `day`, `week`, or a duration of an hour or more. Raises ValueError."""
    if written in ("day", "week"):
        return DAY_S if written == "day" else 7 * DAY_S
    if not isinstance(written, str) or not _DURATION.fullmatch(written):
        raise ValueError(f"{shown(written)} is no turn: write `day`, `week` or a duration like `12 hours`")
    turn = read_offset(written)
    if turn.business:
        raise ValueError(f"`{turn.text}` is working time, but someone is on duty at any time: leave out `business`")
    if turn.seconds < SHORTEST_TURN_S:
        raise ValueError(f"`{turn.text}` is too short for a turn: write `day`, `week` or at least `1 hour`")
    return turn.seconds


def read_zone(written: object) -> str:
    """The name of a time zone. Raises ValueError."""
    if not isinstance(written, str):
        raise ValueError(f"{shown(written)} is no time zone: use a name like Europe/Brussels")
    try:
        return time_zone(written).key
    except (KeyError, ValueError, OSError):
        raise ValueError(f"unknown time zone `{written}`{proposal(written, available_timezones())}") from None


def read_money(written: object) -> Money:
    """An amount with its currency. Raises ValueError."""
    match = _MONEY.fullmatch(written) if isinstance(written, str) else None
    if match is None:
        raise ValueError(f"{shown(written)} is no amount: write it with its currency, like `5000 EUR`")
    return Money(Decimal(match[1]), match[2])


def read_share(written: object) -> Decimal:
    """A percentage, as a share from 0 to 1. Raises ValueError."""
    match = _SHARE.fullmatch(written) if isinstance(written, str) else None
    if match is None:
        raise ValueError(f"{shown(written)} is no percentage: write it like `60%`")
    share = Decimal(match[1]) / 100
    if share > 1:
        raise ValueError(f"`{written}` is more than everything: write `0%` to `100%`")
    return share


def read_target(written: object) -> Decimal:
    """A number above 0. Raises ValueError."""
    if isinstance(written, int | float) and not isinstance(written, bool) and 0 < written < 10**15:
        return Decimal(str(written))
    raise ValueError(f"{shown(written)} is no target: write a number above 0, like `500000`")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a member of a pool must have: one of `values`, or the value of the lead's fact `field`."""

    values: tuple[str, ...] = ()
    field: str | None = None


def read_wanted(written: object) -> Wanted:
    """A word, a list of words, or a field. Raises ValueError."""
    if isinstance(written, dict) and set(written) == {"field"} and isinstance(written["field"], str):
        return Wanted(field=written["field"])
    words = [written] if isinstance(written, str) else written
    if isinstance(words, list) and words and all(isinstance(word, str) and word for word in words):
        return Wanted(tuple(words))
    raise ValueError(
        f"{shown(written)} can't be asked of a member: write `fr`, `[fr, nl]` or `{{field: contact.language}}`"
    )


def shown(written: object) -> str:
    """A value of the file as a message shows it."""
    if isinstance(written, bool):
        return f"`{str(written).lower()}`"
    if isinstance(written, dict | list):
        return "a mapping" if isinstance(written, dict) else "a list"
    return f"`{written if len(str(written)) <= 60 else str(written)[:57] + '...'}`"


def _one_of(written: object, known: Sequence[str]) -> str:
    if isinstance(written, str) and written in known:
        return written
    raise ValueError(f"{shown(written)} is not possible here: use {', '.join(known[:-1])} or {known[-1]}")
