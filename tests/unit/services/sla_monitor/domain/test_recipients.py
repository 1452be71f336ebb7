"""Who a step reaches: the person that each role is when it fires; and if nobody is on duty, the next step at once."""

from collections.abc import Mapping
from dataclasses import replace

from services.sla_monitor.domain import escalation
from services.sla_monitor.domain.ladder import levels
from services.sla_monitor.domain.recipients import NOBODY, recipients
from services.sla_monitor.domain.transitions import open_window, settle
from services.sla_monitor.domain.window_state import WindowState
from shared.domain.agreement import Agreement, Ladder, Step
from shared.domain.duty import Duty, Shift
from shared.domain.events import EscalationRaised, MoveRequested, Recipient, WindowWarned
from tests.unit.services.sla_monitor.window_states import agreement, at, window

OPS = Step(2, 0, tell=("ops",), page=True)
LEADS = Step(3, 3600, tell=("rep", "sales_lead"))
NIGHT = {"ops": Duty(overrides=(Shift("lea", at(5000), at(9000)),)), "sales_lead": Duty(always="mia")}
"""Ops is staffed from 5,000 seconds on, more than an hour after the deadline."""


def deal(*steps: Step, duty: Mapping[str, Duty] = NIGHT, repeats: int = 0) -> Agreement:
    made = agreement(ladder=Ladder("response", steps, repeats, 1800))
    people = {**made.people, "ann": replace(made.people["ann"], reports_to="mia")}
    return replace(made, people=people, duty=duty)


def settled(agreed: Agreement, *seconds: float, state: WindowState | None = None) -> WindowState:
    """The promise once these times have passed, with all that was announced."""
    ladder = levels(agreed, window())
    state = state or open_window(window(), (), ladder)
    for second in seconds:
        state = settle(state, (), ladder, agreed, now=at(second), watermark=at(second))
    return state


def raised(state: WindowState) -> list[EscalationRaised]:
    return [each.event for each in state.announced if isinstance(each.event, EscalationRaised)]


def outcomes(state: WindowState) -> list[tuple[int, int, str]]:
    return [(each.level.loop, each.level.level, each.outcome) for each in state.fired]


def test_each_role_is_a_person_at_the_instant() -> None:
    roles = ("rep", "manager", "ops", "sales_lead", "marketing_lead")
    assert recipients(deal(OPS), "ann", roles, at(6000)) == (
        Recipient("rep", "ann"),
        Recipient("manager", "mia"),
        Recipient("ops", "lea"),
        Recipient("sales_lead", "mia"),
        Recipient("marketing_lead"),
    )
    assert recipients(deal(OPS), "bob", ("manager", "ops"), at(0)) == (Recipient("manager"),)


def test_an_event_names_those_who_are_on_duty_when_the_step_fires() -> None:
    [late] = raised(settled(deal(OPS), 6000))
    assert (late.to, late.notify, late.told, late.page, late.skipped) == (
        (Recipient("ops", "lea"),),
        ("ops",),
        ("ops",),
        True,
        None,
    )
    assert (late.due_at, late.at) == (at(900), at(6000))
    [both] = raised(settled(deal(LEADS), 4503))
    assert both.to == (Recipient("rep", "ann"), Recipient("sales_lead", "mia"))


def test_a_role_that_nobody_is_on_duty_for_is_recorded_though_others_are_reached() -> None:
    ladder = (replace(LEADS, tell=("rep", "ops", "sales_lead")),)
    [partly] = raised(settled(deal(*ladder), 4503))
    assert partly.to == (Recipient("rep", "ann"), Recipient("sales_lead", "mia"))
    assert (partly.absent, partly.skipped) == (("ops",), None)
    [reached] = raised(settled(deal(*ladder), 6000))
    assert reached.absent == ()


def test_a_role_that_the_agreement_does_not_name_is_reached_as_before() -> None:
    [paged] = raised(settled(deal(OPS, duty={}), 903))
    assert (paged.to, paged.notify, paged.page, paged.skipped) == ((Recipient("ops"),), ("ops",), True, None)


def test_nobody_on_duty_means_the_next_step_at_once_and_is_recorded() -> None:
    state = settled(deal(OPS, LEADS), 903)
    assert outcomes(state) == [(0, 2, "skipped"), (0, 3, "raised")]
    first, second = raised(state)
    assert (first.to, first.notify, first.told, first.page, first.skipped) == ((), (), (), False, NOBODY)
    assert (second.level, second.notify, second.due_at, second.at) == (3, ("rep", "sales_lead"), at(903), at(903))
    assert state.escalation is not None
    assert (state.escalation.state, state.escalation.level, state.escalation.told) == (
        "firing",
        3,
        ("rep", "sales_lead"),
    )
    assert outcomes(settled(deal(OPS, LEADS), 903, 4503, 9000)) == outcomes(state)


def test_a_step_that_reaches_someone_is_not_skipped_for_the_others() -> None:
    both = replace(OPS, tell=("ops", "sales_lead"))
    state = settled(deal(both, LEADS), 903)
    assert outcomes(state) == [(0, 2, "raised")]
    assert raised(state)[0].to == (Recipient("sales_lead", "mia"),)


def test_a_move_behind_a_step_without_anyone_happens_at_once_and_the_step_behind_it_in_time() -> None:
    state = settled(deal(OPS, Step(3, 900, move_within="pool"), Step(4, 3600, tell=("rep",))), 903)
    assert outcomes(state) == [(0, 2, "skipped"), (0, 3, "raised")]
    assert [type(each.event) for each in state.announced].count(MoveRequested) == 1


def test_several_steps_without_anyone_are_passed_over_together() -> None:
    again = replace(OPS, level=3, after_s=1800)
    state = settled(deal(OPS, again, replace(LEADS, level=4)), 903)
    assert outcomes(state) == [(0, 2, "skipped"), (0, 3, "skipped"), (0, 4, "raised")]


def test_a_repeat_waits_for_its_time_since_someone_may_be_on_duty_then() -> None:
    agreed = deal(OPS, repeats=3)
    state = settled(agreed, 903)
    assert outcomes(state) == [(0, 2, "skipped")]
    later = settled(agreed, 2703, 4503, 6303, state=state)
    assert outcomes(later) == [(0, 2, "skipped"), (1, 2, "skipped"), (2, 2, "skipped"), (3, 2, "raised")]
    assert raised(later)[-1].to == (Recipient("ops", "lea"),)


def test_a_warning_without_anyone_brings_no_step_before_the_deadline() -> None:
    warns = [Step(1, -600, tell=("ops",)), Step(2, -300, tell=("rep",))]
    state = settled(deal(*warns, replace(LEADS, after_s=0)), 303)
    found = [each.event for each in state.announced if isinstance(each.event, WindowWarned)]
    assert [(event.level, event.skipped, event.to) for event in found] == [
        (1, NOBODY, ()),
        (2, None, (Recipient("rep", "ann"),)),
    ]
    assert raised(state) == []
    assert state.window.state == "open"
    assert len(raised(settled(deal(*warns, replace(LEADS, after_s=0)), 303, 903))) == 1


def test_an_escalation_that_someone_has_taken_on_is_silent_and_hurries_no_step() -> None:
    agreed = deal(Step(1, 0, tell=("rep",)), replace(OPS, after_s=900), replace(LEADS, after_s=3600))
    state = settled(agreed, 903)
    assert state.escalation is not None
    taken = replace(state, escalation=escalation.acknowledged(state.escalation, by="mia", until=None), fired=())
    assert outcomes(settled(agreed, 1803, state=taken)) == [(0, 2, "silenced")]
