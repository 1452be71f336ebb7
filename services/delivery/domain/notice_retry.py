"""What follows an attempt to send a notice: it is told, tried again, sent through the next channel, or failed.

A page can't wait for a day: a channel has a minute or two, and only the last one has longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from services.delivery.domain.outcome import Outcome

NOTICE_SCHEDULE_S = (2, 10, 30)
"""Seconds between the attempts on one channel while there is another one."""

LAST_SCHEDULE_S = (2, 10, 30, 60, 120, 300, 600)
"""Seconds between the attempts on the last channel: 19 minutes in all, so that a mail server may restart."""

CHANNEL_TIME = timedelta(minutes=2)
"""How long a message may wait on a channel while there is another one, whatever else the channel has to send."""

_MAX_STRETCH = 2


@dataclass(frozen=True, slots=True)
class Schedules:
    """Waits between attempts in seconds, on a channel that is followed by another one and on the last one."""

    each_s: Sequence[float] = NOTICE_SCHEDULE_S
    last_s: Sequence[float] = LAST_SCHEDULE_S


@dataclass(frozen=True, slots=True)
class NextStep:
    """`told`, `retry` after `wait_s` seconds, or `give_up` on this channel."""

    action: Literal["told", "retry", "give_up"]
    wait_s: float = 0.0


def next_step(outcome: Outcome, attempts: int, fraction: float, schedule_s: Sequence[float]) -> NextStep:
    """What follows attempt number `attempts` (from 1) on a channel. `fraction` in [0, 1) spreads the wait; one that the
    receiver asks for counts up to twice the planned one.

    >>> next_step(Outcome("retry", "answered 503"), 2, 0.5, NOTICE_SCHEDULE_S)
    NextStep(action='retry', wait_s=10.0)
    >>> next_step(Outcome("retry", "answered 503"), 4, 0.5, NOTICE_SCHEDULE_S).action
    'give_up'
    """
    if outcome.state == "taken":
        return NextStep("told")
    if outcome.state == "failed" or attempts > len(schedule_s):
        return NextStep("give_up")
    planned = schedule_s[attempts - 1]
    asked = min(outcome.retry_after_s or 0.0, _MAX_STRETCH * planned)
    return NextStep("retry", max(planned * (0.8 + 0.4 * fraction), asked))
