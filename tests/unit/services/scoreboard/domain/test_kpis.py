"""The figures of a day."""

from collections import Counter

from services.scoreboard.domain.kpis import kpis
from services.scoreboard.domain.promises import WindowRow, counts_for, run
from tests.kit.events import breached, cancelled, met, opened


def test_parked_leads_count_as_mql_and_nothing_has_no_share() -> None:
    steps = {step.name: step for step in kpis({"received": 10, "assigned": 3, "parked": 1, "merged": 4})}
    assert (steps["mql"].count, steps["mql"].share, steps["assigned"].share) == (4, 0.4, 0.75)
    assert steps["responded"].share is None


def test_shares_are_of_the_step_before_and_promises_are_a_cohort_of_their_own() -> None:
    found = kpis({"received": 8, "assigned": 2, "parked": 2, "responded": 3, "breached": 1})
    assert [(kpi.name, kpi.count, kpi.share) for kpi in found] == [
        ("received", 8, None),
        ("mql", 4, 0.5),
        ("assigned", 2, 0.5),
        ("responded", 3, 0.75),
        ("breached", 1, 0.25),
    ]


def test_a_breach_counts_once_and_says_when_it_is_charged_to_the_pipeline() -> None:
    windows = [run(WindowRow(window_id=fault), breached(fault=fault)) for fault in ("rep", "pipeline")]
    windows = [run(each, opened()) for each in windows]
    late = kpis(Counter(name for each in windows for _, name in counts_for(each)))[4]
    assert (late.count, late.meaning) == (
        2,
        "of today's judged responses, too late; 1 of them charged to the pipeline",
    )
    assert "pipeline" not in kpis(Counter(name for _, name in counts_for(windows[0])))[4].meaning


def test_one_lead_that_moved_and_was_answered_is_all_responded_and_what_runs_is_in_no_share() -> None:
    running = WindowRow(window_id="wi_3")
    windows = [
        run(run(WindowRow(window_id="wi_1"), opened()), cancelled()),
        run(run(WindowRow(window_id="wi_2"), opened()), met()),
        run(running, opened()),
    ]
    counted = Counter(name for window in windows for _, name in counts_for(window))
    responded, breached = kpis(counted)[3:]
    assert (responded.count, responded.share, breached.share) == (1, 1.0, 0.0)
    assert kpis(Counter(name for _, name in counts_for(run(running, opened()))))[3].share is None
