"""What both sides share besides promises: material for buyers, and goals."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Content:
    """Material for buyers, the objections that it answers, and the side that maintains it."""

    id: str
    title: str
    url: str
    answers: tuple[str, ...] = ()
    owner: str = "marketing"


@dataclass(frozen=True, slots=True)
class Goal:
    """What both sides want to reach by a date, counted as the KPI of that name."""

    name: str
    kpi: str
    target: Decimal
    by: date
    celebrate_in: str | None = None
