"""Clocks that a test moves."""

from datetime import datetime, timedelta

from shared.clock import SystemClock
from tests.kit.events import NINE


class ManualClock:
    """Stands still until a test moves it, by `advance` or by setting `at`."""

    def __init__(self, at: datetime = NINE) -> None:
        self.at = at
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self._elapsed_s

    def advance(self, **length: float) -> None:
        """Let this time pass, in the units of `timedelta`."""
        passed = timedelta(**length)
        self.at += passed
        self._elapsed_s += passed.total_seconds()


class ManualWall(ManualClock):
    """A `ManualClock` whose monotonic side is the machine's, for services that wait by it."""

    def monotonic(self) -> float:
        return SystemClock().monotonic()


class SteppedClock:
    """The machine's clock, whose wall a test can set apart from its monotonic side by `step`; `passed_s` moves both."""

    def __init__(self) -> None:
        self._real = SystemClock()
        self.step = timedelta()
        self.passed_s = 0.0

    def now(self) -> datetime:
        return self._real.now() + self.step + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return self._real.monotonic() + self.passed_s
