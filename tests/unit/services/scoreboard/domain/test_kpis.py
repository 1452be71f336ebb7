"""The figures of a day."""

from services.scoreboard.domain.kpis import kpis


def test_parked_leads_count_as_mql_and_nothing_has_no_share() -> None:
    steps = {step.name: step for step in kpis({"received": 10, "assigned": 3, "parked": 1, "merged": 4})}
    assert (steps["mql"].count, steps["mql"].share, steps["assigned"].share) == (4, 0.4, 0.75)
    assert steps["responded"].share is None


def test_shares_are_of_the_step_before_and_promises_are_a_cohort_of_their_own() -> None:
    found = kpis({"received": 8, "assigned": 2, "parked": 2, "promised": 4, "responded": 3, "breached": 1})
    assert [(kpi.name, kpi.count, kpi.share) for kpi in found] == [
        ("received", 8, None),
        ("mql", 4, 0.5),
        ("assigned", 2, 0.5),
        ("responded", 3, 0.75),
        ("breached", 1, 0.25),
    ]
