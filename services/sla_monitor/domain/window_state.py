"""A window with its escalation, as rules change it: with the events to publish, and the levels that are done."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.sla_monitor.domain.announcements import Announcement
from services.sla_monitor.domain.escalation import Escalation
from services.sla_monitor.domain.ladder import Level
from services.sla_monitor.domain.window import Window

StepOutcome = Literal["warned", "raised", "silenced", "skipped"]


@dataclass(frozen=True, slots=True)
class FiredStep:
    """A level that is done: `outcome` is `silenced` if someone had taken it on, if it says nothing once the lead has
    moved, or if it warns of a period that is on pace, and `skipped` if nobody was on duty.
    """

    window_id: str
    level: Level
    fired_at: datetime
    outcome: StepOutcome


@dataclass(frozen=True, slots=True)
class WindowState:
    """A window with its escalation, and the events to publish and steps to record."""

    window: Window
    escalation: Escalation | None = None
    announced: tuple[Announcement, ...] = ()
    fired: tuple[FiredStep, ...] = ()
