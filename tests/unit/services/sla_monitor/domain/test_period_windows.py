"""Which periods open, under which version of the agreement, and how each ends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from services.sla_monitor.domain import ladder, transitions
from services.sla_monitor.domain.period import Figures
from services.sla_monitor.domain.period_windows import due_windows, looked_at, period_verdict
from services.sla_monitor.domain.window import Window
from services.sla_monitor.domain.window_state import WindowState
from shared.domain.agreement import Agreement, Commitment, Ladder, Step
from shared.domain.agreement_versions import Schedule
from shared.domain.approvals import Approval
from shared.domain.duty import Duty
from shared.domain.events import (
    BreachRetracted,
    EscalationRaised,
    WindowBreached,
    WindowMet,
    WindowWarned,
)
from tests.unit.services.sla_monitor.window_states import OFFICE, TOLERANCE, agreement

VOLUME = Commitment("volume", Decimal(400), "month", "commitments")
SHARE = Commitment("accepted_share", Decimal("0.6"), "week", "commitments")
CLIMB = Ladder(
    "commitments", (Step(1, -7 * 86_400, tell=("marketing_lead",)), Step(2, 0, tell=("marketing_lead", "sales_lead")))
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def deal(*commitments: Commitment, **changes: Any) -> Agreement:
    whole = agreement(ladder=CLIMB)
    return replace(
        whole,
        commitments={each.measure: each for each in commitments or (VOLUME,)},
        calendars={"office": OFFICE},
        duty={"marketing_lead": Duty(always="max"), "sales_lead": Duty(always="mia")},
        **changes,
    )


def opened(schedule: Schedule, now: str, latest: dict[str, datetime] | None = None) -> list[Window]:
    return list(due_windows(schedule, latest or {}, at(now), TOLERANCE))


def month(deal_: Agreement, begun: str = "2026-11-01T00:00:01") -> Window:
    [window] = opened(Schedule([(at("2026-01-01"), deal_)]), begun)
    return window


def settled(window: Window, figures: Figures, now: str, state: WindowState | None = None) -> WindowState:
    whole, instant = deal(), at(now)
    seen = looked_at(window, VOLUME, whole, figures, instant)
    before = state or transitions.open_window(window, (), ladder.levels(whole, window))
    judged = period_verdict(before.window, VOLUME, figures, now=instant, watermark=instant)
    kept = msgspec.structs.replace(before.window, progress=seen.progress, on_pace=seen.on_pace)
    levels = ladder.levels(whole, window)
    before = WindowState(kept, before.escalation)
    return transitions.settle(before, (), levels, whole, now=instant, watermark=instant, judged=judged)


def test_each_period_opens_once_and_missed_ones_are_made_up() -> None:
    schedule = Schedule([(at("2026-01-01"), deal())])
    first = month(deal())
    assert (first.lead_id, first.owner, first.side) == ("period:volume:2026-11", "max", "marketing")
    assert (first.opened_at, first.due_at) == (at("2026-11-01"), at("2026-12-01"))
    assert opened(schedule, "2026-11-30T23:59:59", {"volume": first.due_at}) == []
    made_up = opened(schedule, "2027-02-10", {"volume": first.due_at})
    assert [each.lead_id for each in made_up] == [f"period:volume:{each}" for each in ("2026-12", "2027-01", "2027-02")]
    assert all(each.counts_from_at == each.opened_at for each in made_up)


def test_a_promise_begins_with_the_first_period_that_starts_under_its_version() -> None:
    bare, both = replace(deal(), commitments={}), deal(VOLUME, SHARE)
    schedule = Schedule([(at("2026-01-01"), bare), (at("2026-11-11"), both)])
    assert opened(schedule, "2026-11-12") == []
    assert [each.lead_id for each in opened(schedule, "2026-11-17")] == ["period:accepted_share:2026-W47"]
    assert {each.promise for each in opened(schedule, "2026-12-02")} == {"volume", "accepted_share"}


def test_a_running_period_keeps_its_version_and_the_next_one_has_the_new() -> None:
    old, new = deal(), replace(deal(replace(VOLUME, target=Decimal(500), per="week")), version=4, hash="sha256:new")
    schedule = Schedule([(at("2026-01-01"), old), (at("2026-11-11"), new)])
    latest = {"volume": month(old).due_at}
    assert opened(schedule, "2026-11-25", latest) == []
    [following] = opened(schedule, "2026-12-07T00:00:01", latest)
    assert (following.lead_id, following.agreement.version) == ("period:volume:2026-W50", 4)


def test_without_anyone_on_duty_the_approver_of_marketing_owns_the_period() -> None:
    signed = replace(deal(), duty={}, approved_by={"marketing": Approval("Mara", at("2026-01-01").date())})
    assert month(signed).owner == "Mara"
    assert month(replace(deal(), duty={})).owner == "marketing"


def test_a_period_off_pace_is_warned_of_once_breached_and_escalated() -> None:
    window = month(deal())
    warned = settled(window, Figures(accepted=155), "2026-11-24T00:00:03")
    [event] = [each.event for each in warned.announced if isinstance(each.event, WindowWarned)]
    assert event.progress is not None
    assert (event.progress.counted, event.progress.target) == (155, 400.0)
    assert [each.person for each in event.to] == ["max"]
    again = settled(window, Figures(accepted=156), "2026-11-25T00:00:03", warned)
    assert again.announced == ()
    early = settled(window, Figures(accepted=399), "2026-12-01T00:00:20", again)
    assert (early.window.state, early.announced) == ("open", ())
    breached = settled(window, Figures(accepted=399), "2026-12-01T00:00:40", early)
    kinds = [type(each.event) for each in breached.announced]
    assert (breached.window.state, kinds) == ("breached", [WindowBreached, EscalationRaised])
    assert breached.escalation is not None
    taken_back = settled(window, Figures(accepted=400), "2026-12-01T09:00:00", breached)
    assert (taken_back.window.state, taken_back.window.reason) == ("met", None)
    assert taken_back.escalation is not None
    assert (taken_back.escalation.state, taken_back.escalation.reason) == ("closed", "breach retracted")


def test_a_breach_is_taken_back_if_what_it_counted_turns_out_to_count_nowhere() -> None:
    """As when the only rejected lead had been accepted before its period began."""
    whole = deal(SHARE)
    window = month(whole, "2026-11-10")
    state, levels, now = WindowState(window), ladder.levels(whole, window), at("2026-11-17")

    def look(figures: Figures) -> WindowState:
        judged = period_verdict(state.window, SHARE, figures, now=now, watermark=now)
        return transitions.settle(state, (), levels, whole, now=now, watermark=now, judged=judged)

    state = look(Figures(rejected=1))
    assert state.window.state == "breached"
    state = look(Figures())
    assert (state.window.state, state.window.reason) == ("cancelled", "no data: nothing to count in this period")
    assert isinstance(state.announced[-1].event, BreachRetracted)


def test_a_period_on_pace_is_not_warned_of_and_met_at_its_end() -> None:
    window = month(deal())
    silent = settled(window, Figures(accepted=310), "2026-11-24T00:00:03")
    assert (silent.announced, [each.outcome for each in silent.fired]) == ((), ["silenced"])
    met = settled(window, Figures(accepted=400), "2026-12-01T00:00:40", silent)
    assert [type(each.event) for each in met.announced] == [WindowMet]
    assert met.window.ended_at == window.due_at


def test_a_lagging_watermark_delays_the_verdict() -> None:
    window, now = month(deal()), at("2026-12-02")
    for watermark in (None, at("2026-12-01")):
        waits = period_verdict(window, VOLUME, Figures(), now=now, watermark=watermark)
        assert waits.outcome == "waits"


def test_a_volume_that_was_counted_only_in_part_is_met_or_not_judged() -> None:
    window, now = month(deal(), "2026-11-20T12:00:00"), at("2026-12-02")
    assert window.counts_from_at == at("2026-11-20T12:00:00")
    short = period_verdict(window, VOLUME, Figures(accepted=399), now=now, watermark=now)
    assert (short.outcome, short.why) == ("cancelled", "counted only since 2026-11-20")
    assert period_verdict(window, VOLUME, Figures(accepted=400), now=now, watermark=now).outcome == "met"
    assert looked_at(window, VOLUME, deal(), Figures(accepted=1), now - timedelta(days=3)).on_pace


def test_a_share_of_nothing_is_no_data() -> None:
    found = period_verdict(month(deal()), SHARE, Figures(handed=9), now=at("2026-12-02"), watermark=at("2026-12-02"))
    assert (found.outcome, found.why) == ("cancelled", "no data: nothing to count in this period")
