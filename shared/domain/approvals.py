"""Who signed an agreement, and how often both sides meet over it."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Approval:
    """Who signed for one side, and on which date."""

    name: str
    on: date


@dataclass(frozen=True, slots=True)
class Review:
    """How often both sides meet over the agreement, and over the material, as written: `2 weeks`."""

    every: str
    content_every: str | None = None
