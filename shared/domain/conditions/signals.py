"""What a person did before the inquiry: how often, and when last."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.conditions.facts import DecisionFacts
from shared.domain.lead import Signal

MATCHED = ("path", "content_id")
"""The parts of a signal that a test may ask for."""


@dataclass(frozen=True, slots=True)
class SignalTest:
    """At least `at_least` signals of a `kind`, up to the instant of the decision and not older than `within_s` seconds.

    `matches` maps `path` and `content_id` to the required text. Case is ignored, and in a path the query (`?...`), the
    fragment (`#...`) and a trailing slash: `/pricing` matches `/Pricing/?from=mail` but not `/pricing/enterprise`.
    Raises ValueError for another key, or for `at_least` below 1.
    """

    kind: str
    matches: Mapping[str, str] = field(default_factory=dict, hash=False)
    within_s: int | None = None
    at_least: int = 1

    def __post_init__(self) -> None:
        strange = [name for name in self.matches if name not in MATCHED]
        if strange or self.at_least < 1:
            raise ValueError(f"a signal can't be asked for {strange or self.at_least}")

    def met_by(self, facts: DecisionFacts) -> list[Signal]:
        """The signals that count. Without the instant of the decision there are none."""
        if facts.at is None:
            return []
        kind, now = self.kind.casefold(), facts.at
        return [signal for signal in facts.signals if signal.kind.casefold() == kind and self._fits(signal, now)]

    def in_words(self) -> str:
        """The expectation without the kind: `2 times, path /pricing, within 30 days`."""
        parts = ["once" if self.at_least == 1 else f"{self.at_least} times"]
        parts += [f"{name.replace('_', ' ')} {text}" for name, text in self.matches.items()]
        if self.within_s is not None:
            parts.append(f"within {_length(self.within_s)}")
        return ", ".join(parts)

    def _fits(self, signal: Signal, now: datetime) -> bool:
        age_s = (now - signal.at).total_seconds()
        if age_s < 0 or (self.within_s is not None and age_s > self.within_s):
            return False
        return all(_plain(name, getattr(signal, name)) == _plain(name, text) for name, text in self.matches.items())


def _plain(part: str, text: str | None) -> str | None:
    if text is None:
        return None
    if part == "path":
        text = text.partition("#")[0].partition("?")[0].rstrip("/")
    return text.casefold()


def _length(seconds: int) -> str:
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{seconds} seconds"
