"""Whose fault a breach is: of the window, its announcement, its escalation and what that announces."""

from datetime import datetime

import pytest

from services.sla_monitor.domain import ladder, transitions
from shared.domain.events import EscalationRaised, WindowBreached
from tests.unit.services.sla_monitor.window_states import T0, agreement, assigned, at, window


@pytest.mark.parametrize(
    ("received_at", "fault"), [(at(-1), "rep"), (at(-120), "rep"), (at(-121), "pipeline"), (at(-3600), "pipeline")]
)
def test_a_breach_after_a_hand_off_later_than_promised_is_charged_to_the_pipeline(
    received_at: datetime, fault: str
) -> None:
    deal = agreement()
    opened = window(assigned(received_at=received_at, assigned_at=T0), deal)
    levels = ladder.levels(deal, opened)
    state = transitions.open_window(opened, [], levels)
    state = transitions.settle(state, [], levels, deal, now=at(1000), watermark=at(1000))
    events = [each.event for each in state.announced]
    assert [each.fault for each in events if isinstance(each, WindowBreached)] == [fault]
    assert {each.fault for each in events if isinstance(each, EscalationRaised)} == {fault}
    assert state.escalation is not None
    assert state.escalation.fault == fault
