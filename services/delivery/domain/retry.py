"""Decides what follows an attempt (delivered, retry, failed, or disable the subscription), and why.

Delays grow to about 28 hours in total, so that an endpoint may be down for a night and a working day. Jitter keeps an
endpoint that comes back from receiving everything at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from shared.domain.instants import clamped

SCHEDULE_S = (5, 30, 120, 600, 1800, 7200, 18000, 36000, 36000)
"""Seconds between the first ten attempts: 5 s, 30 s, 2 min, 10 min, 30 min, 2 h, 5 h, 10 h, 10 h."""

LONGEST_RETRY_AFTER = 64
MORE_TRIES_WHEN_REFUSED = 3
MAX_BACKOFF = 2
_WIDE_SPREAD = 3
_TRY_LATER = (408, 425, 429)


DeliveryStatus = Literal["pending", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class EndpointResponse:
    """How one attempt ended.

    `status` is the HTTP status, or None if there was none; then `problem` says why. `retry_after_s` is what the
    endpoint asked for. `forbidden` means that the address is not allowed, `sent` that the request may have arrived.
    `body` is the start of what it answered; `cut_off` if that did not end in the time and size that we read.
    """

    status: int | None
    problem: str = ""
    retry_after_s: float | None = None
    forbidden: bool = False
    sent: bool = False
    body: bytes = field(default=b"", repr=False)
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """What happens next to a delivery, and `why`.

    `state` is `delivered`, `pending` (retry after `wait_s` seconds) or `failed`. `disable` ends the whole subscription.
    `slow_down` means that the endpoint is overloaded.
    """

    state: DeliveryStatus
    why: str
    wait_s: float | None = None
    disable: bool = False
    slow_down: bool = False


def next_attempt(
    answer: EndpointResponse, attempts: int, fraction: float, schedule_s: Sequence[float] = SCHEDULE_S
) -> NextAttempt:
    """What follows the attempt number `attempts` (from 1). `fraction` in [0, 1) spreads the wait.

    Silence, 408, 425, 429 and 5xx are tried to the end of the schedule; a redirect, another 4xx and an address that we
    may not send to are tried three times more; 410 disables the subscription.
    """
    status = answer.status
    if status is not None and 200 <= status < 300:
        return NextAttempt("delivered", f"answered {status}")
    if status == 410:
        return NextAttempt("failed", "answered 410: the endpoint is gone for good", disable=True)
    patient = not answer.forbidden and (status is None or status in _TRY_LATER or status >= 500)
    tries = len(schedule_s) if patient else min(MORE_TRIES_WHEN_REFUSED, len(schedule_s))
    why = _why(answer)
    if attempts > tries:
        return NextAttempt("failed", why, slow_down=patient)
    planned = schedule_s[attempts - 1]
    wait = _spread(planned, attempts, fraction)
    if answer.retry_after_s is not None:
        wait = max(wait, min(answer.retry_after_s, MAX_BACKOFF * planned))
    return NextAttempt("pending", why, wait_s=wait, slow_down=patient)


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks to wait: a number, or an HTTP date. None for anything else.

    >>> retry_after_s("120", datetime(2026, 11, 21, tzinfo=UTC))
    120.0
    >>> retry_after_s("Sat, 21 Nov 2026 00:00:30 GMT", datetime(2026, 11, 21, tzinfo=UTC))
    30.0
    """
    if value is None:
        return None
    text = value[:LONGEST_RETRY_AFTER].strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, LookupError, OverflowError):  # whatever the library raises for an invalid date
        return None
    at = clamped(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
    return max(0.0, (at - now).total_seconds())


def _spread(planned: float, attempts: int, fraction: float) -> float:
    if attempts <= _WIDE_SPREAD:
        return planned * (0.1 + 0.9 * fraction)
    return planned * (0.8 + 0.4 * fraction)


def _why(answer: EndpointResponse) -> str:
    if answer.status is None:
        return answer.problem
    if 300 <= answer.status < 400:
        return f"answered {answer.status}: redirects are not followed; subscribe with the final URL"
    return f"answered {answer.status}"
