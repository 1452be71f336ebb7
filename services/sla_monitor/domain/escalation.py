"""One escalation per breached window: raised by the first level of its ladder, quiet while someone has taken it on,
closed when there is nothing left to do about it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.sla_monitor.domain.ladder import Level
from services.sla_monitor.domain.window import Fault, Window
from shared.domain.events import PromisePeriod, Recipient
from shared.domain.ids import event_id
from shared.domain.promises import EscalationStatus
from shared.domain.silences import Silence


class Escalation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An escalation of a breach. `level` is the last one that fired, `told` all roles so far.

    `state` is `firing`, `acknowledged` (until `quiet_until_at`, or until it closes if that is None), `exhausted` when
    the ladder is over and nobody answered, or `closed`. `fired_at` is when it last notified anyone, None if an earlier
    release did. `passed` are the levels that came due while someone had taken it on, and notified no one. `silenced`
    are those that a silence kept from notifying anyone, until `silenced_until_at`; `silence_id` is None if the
    agreement has it. `fault` is whose fault the breach is; None for a period, or if an earlier release raised it.
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
    fired_at: datetime | None = None
    passed: tuple[int, ...] = ()
    period: PromisePeriod | None = None
    silenced: tuple[int, ...] = ()
    silenced_until_at: datetime | None = None
    silence_id: str | None = None
    fault: Fault | None = None


def fault_of(window: Window) -> Fault | None:
    """Whose fault a breach of the window is; None for a period, which is nobody's alone."""
    return window.fault if window.period is None else None


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
            fired_at=now,
            period=window.period,
            fault=fault_of(window),
        )
    told = tuple(dict.fromkeys((*escalation.told, *told)))
    return msgspec.structs.replace(escalation, level=level.level, told=told, fired_at=now)


def fired_again(
    escalation: Escalation, level: Level, to: Sequence[Recipient], now: datetime, *, ran_out: bool
) -> Escalation:
    """The escalation that fires again by itself, because its acknowledgement has `ran_out` or else a silence is over;
    `level` is what it notifies.
    """
    told = tuple(dict.fromkeys((*escalation.told, *(each.role for each in to))))
    fired = msgspec.structs.replace(
        escalation,
        level=level.level,
        told=told,
        fired_at=now,
        silenced=(),
        silenced_until_at=None,
        silence_id=None,
    )
    return msgspec.structs.replace(fired, state="firing", quiet_until_at=None, passed=()) if ran_out else fired


def silenced(escalation: Escalation, levels: Sequence[int], silence: Silence) -> Escalation:
    """The escalation after levels that a silence keeps from notifying anyone until its end."""
    return msgspec.structs.replace(
        escalation,
        silenced=tuple(dict.fromkeys((*escalation.silenced, *levels))),
        silenced_until_at=silence.ends_at,
        silence_id=silence.silence_id,
    )


def passed(escalation: Escalation, level: Level) -> Escalation:
    """The escalation after a level that notified no one, because someone has taken it on."""
    if not (level.tell or level.page) or level.level in escalation.passed:
        return escalation
    return msgspec.structs.replace(escalation, passed=(*escalation.passed, level.level))


def in_hands(escalation: Escalation | None) -> bool:
    """Whether someone has taken the escalation on."""
    return escalation is not None and escalation.state == "acknowledged"


def again_at(escalation: Escalation | None) -> datetime | None:
    """When the escalation fires again by itself: at the end of an acknowledgement or silence. None for never."""
    if escalation is None or escalation.state == "closed":
        return None
    quiet_until_at = escalation.quiet_until_at if in_hands(escalation) else None
    return min(filter(None, (quiet_until_at, escalation.silenced_until_at)), default=None)


def acknowledged(escalation: Escalation, *, by: str, until: datetime | None) -> Escalation:
    """The escalation in someone's hands until then. They know of it, so that the end of a silence notifies no one."""
    return msgspec.structs.replace(
        escalation,
        state="acknowledged",
        acknowledged_by=by,
        quiet_until_at=until,
        passed=tuple(dict.fromkeys((*escalation.passed, *escalation.silenced))),
        silenced=(),
        silenced_until_at=None,
        silence_id=None,
    )


def closed(escalation: Escalation, *, reason: str, at: datetime) -> Escalation:
    """The escalation at its end; the end of a silence concerns it no more."""
    return msgspec.structs.replace(
        escalation,
        state="closed",
        reason=reason,
        closed_at=at,
        silenced=(),
        silenced_until_at=None,
        silence_id=None,
    )
