"""Which windows open for promises about periods, and when each is met or breached."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from services.sla_monitor.domain.period import (
    Figures,
    PeriodOutcome,
    on_pace,
    outcome,
    part_over,
    period_at,
    period_name,
    progress,
)
from services.sla_monitor.domain.verdict import WindowVerdict
from services.sla_monitor.domain.window import Window
from shared.domain.agreement import Agreement, Commitment
from shared.domain.agreement_versions import Schedule
from shared.domain.duty import on_duty
from shared.domain.event import PromisePeriod
from shared.domain.ids import event_id
from shared.domain.promises import office

NO_PARTITION = -1
"""The partition of windows that are about all leads."""

MEASURES = ("volume", "accepted_share", "completeness", "hand_off_latency")
"""The promises of marketing, in the order of the agreement's language."""

OWNER = "marketing_lead"
NO_DATA = "no data: nothing to count in this period"
_LATE = timedelta(minutes=1)
_AT_THE_END: Mapping[PeriodOutcome, Callable[[datetime], WindowVerdict]] = {
    "kept": lambda due_at: WindowVerdict("met", "kept", due_at),
    "missed": lambda due_at: WindowVerdict("breached", "missed", due_at),
    "no data": lambda due_at: WindowVerdict("cancelled", NO_DATA, due_at),
}


def due_windows(
    schedule: Schedule, latest: Mapping[str, datetime], now: datetime, tolerance: timedelta
) -> Iterator[Window]:
    """The windows of all periods that have begun by `now` and have none yet. `latest` is when the last period with a
    window ends, by promise. A promise begins with the first period that starts under its version of the agreement.
    """
    for measure in MEASURES:
        begins_at = latest.get(measure) or _first(schedule, measure, now)
        while begins_at is not None and begins_at <= now:
            agreement = schedule.at(begins_at)
            commitment = agreement.commitments.get(measure) if agreement else None
            if agreement is None or commitment is None:
                begins_at = schedule.next_after(begins_at)
                continue
            period = period_at(commitment.per, begins_at, agreement.timezone)
            if period.starts_at >= begins_at:
                yield _window(agreement, commitment, period, now, tolerance, first=measure not in latest)
            begins_at = period.ends_at


def looked_at(window: Window, commitment: Commitment, agreement: Agreement, figures: Figures, now: datetime) -> Window:
    """The window with its progress as it stands at `now`."""
    period = _period(window)
    over = part_over(period, office(agreement), now)
    begun = part_over(period, office(agreement), window.counts_from_at)
    shown = progress(commitment, figures, over - begun)
    fine = on_pace(commitment, figures, over - begun) or _excused(window, commitment)
    return msgspec.structs.replace(window, progress=shown, on_pace=fine)


def period_verdict(
    window: Window, commitment: Commitment, figures: Figures, *, now: datetime, watermark: datetime | None
) -> WindowVerdict:
    """Whether the promise was kept in its period, as far as can be said. A breach may be disproved later."""
    found = outcome(commitment, figures)
    if window.state == "breached" and found != "missed":
        kept = found == "kept"
        return WindowVerdict("retracted", "counted late" if kept else NO_DATA, window.due_at, kept=kept)
    if window.state != "open":
        return WindowVerdict("waits", f"the window is {window.state} already")
    if now < window.verdict_at or watermark is None or watermark < window.verdict_at:
        return WindowVerdict("waits", "the period is not over for sure")
    if found == "missed" and _excused(window, commitment):
        return WindowVerdict("cancelled", f"counted only since {window.counts_from_at:%Y-%m-%d}", window.due_at)
    return _AT_THE_END[found](window.due_at)


def _excused(window: Window, commitment: Commitment) -> bool:
    """Whether leads of the period may be missing, since counting began after it did. That matters for numbers only."""
    return commitment.measure == "volume" and window.counts_from_at > window.opened_at


def _first(schedule: Schedule, measure: str, now: datetime) -> datetime | None:
    """Where the period begins that runs now, for a promise that has had none yet."""
    agreement = schedule.at(now)
    commitment = agreement.commitments.get(measure) if agreement else None
    if agreement is None or commitment is None:
        return None
    return period_at(commitment.per, now, agreement.timezone).starts_at


def _window(
    agreement: Agreement,
    commitment: Commitment,
    period: PromisePeriod,
    now: datetime,
    tolerance: timedelta,
    *,
    first: bool,
) -> Window:
    approver = agreement.approved_by.get("marketing")
    owner = on_duty(agreement.duty, OWNER, period.starts_at).person or (approver.name if approver else "marketing")
    late = first and now > period.starts_at + _LATE
    due_at = period.ends_at
    return Window(
        window_id=event_id("window", "period", commitment.measure, period.starts_at.isoformat(), due_at.isoformat()),
        lead_id=f"period:{commitment.measure}:{period_name(period, agreement.timezone)}",
        partition=NO_PARTITION,
        promise=commitment.measure,
        side="marketing",
        owner=owner,
        generation=0,
        agreement=agreement.ref,
        kinds=(),
        opened_at=period.starts_at,
        counts_from_at=now if late else period.starts_at,
        due_at=due_at,
        decide_at=due_at + tolerance,
        known_at=now,
        fault="rep",
        look_at=None,
        period=period,
    )


def _period(window: Window) -> PromisePeriod:
    assert window.period is not None, "only windows of periods"  # noqa: S101
    return window.period
