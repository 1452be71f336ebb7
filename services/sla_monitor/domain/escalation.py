"""One escalation per breached window: raised by the first level of its ladder, quiet while someone has taken it on,
closed when there is nothing left to do about it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.sla_monitor.domain.ladder import Level
from services.sla_monitor.domain.window import Window
from shared.domain.events import Recipient
from shared.domain.ids import event_id
from shared.domain.promises import EscalationStatus


class Escalation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An escalation of a breach. `level` is the last one that fired, `told` all roles so far.

    `state` is `firing`, `acknowledged` (until `quiet_until_at`, or until it closes if that is None) or `closed`.
    """

    escalation_id: str
    window_id: str
    lead_id: str
    promise: str
    owner: str
    generation: int
    level: int
    raised_at: datetime
    told: tuple[str, ...] = ()
    state: EscalationStatus = "firing"
    acknowledged_by: str | None = None
    quiet_until_at: datetime | None = None
    closed_at: datetime | None = None
    reason: str | None = None


def escalation_id(window: Window) -> str:
    """The id of a window's escalation, whether there is one yet or not."""
    return event_id("escalation", *window.key)


def raised(
    window: Window, escalation: Escalation | None, level: Level, to: Sequence[Recipient], now: datetime
) -> Escalation:
    """The escalation after a level has fired; an acknowledged one stays acknowledged. A promise that runs again after
    its breach was taken back has another one.
    """
    told = tuple(each.role for each in to)
    if escalation is None or escalation.escalation_id != escalation_id(window):
        return Escalation(
            escalation_id=escalation_id(window),
            window_id=window.window_id,
            lead_id=window.lead_id,
            promise=window.promise,
            owner=window.owner,
            generation=window.generation,
            level=level.level,
            raised_at=now,
            told=told,
        )
    told = tuple(dict.fromkeys((*escalation.told, *told)))
    if in_hands(escalation, level):
        return msgspec.structs.replace(escalation, level=level.level, told=told)
    return msgspec.structs.replace(escalation, level=level.level, told=told, state="firing", quiet_until_at=None)


def in_hands(escalation: Escalation | None, level: Level) -> bool:
    """Whether someone has taken the escalation on for the time at which the level falls due."""
    if escalation is None or escalation.state != "acknowledged":
        return False
    return escalation.quiet_until_at is None or level.due_at < escalation.quiet_until_at


def acknowledged(escalation: Escalation, *, by: str, until: datetime | None) -> Escalation:
    """The escalation in someone's hands until then."""
    return msgspec.structs.replace(escalation, state="acknowledged", acknowledged_by=by, quiet_until_at=until)


def closed(escalation: Escalation, *, reason: str, at: datetime) -> Escalation:
    """The escalation at its end."""
    return msgspec.structs.replace(escalation, state="closed", reason=reason, closed_at=at)
