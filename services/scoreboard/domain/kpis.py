"""How far today's inquiries got: the five figures that both sides read, and what each of them means."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kpi:
    """One figure. `share` is it as a part of `of` (a share of 1), None when there is nothing to take a part of."""

    name: str
    label: str
    count: int
    share: float | None
    meaning: str


def kpis(counted: Mapping[str, int]) -> tuple[Kpi, ...]:
    """The steps from one day's counters.

    Received, MQL and assigned are one cohort: the inquiries received today, whenever they were judged. Responded and
    breached are another: of the first responses promised today, those that were given or missed. What still runs, or
    no longer applies because the lead moved or ended, is in no share. Of the breached ones, it says how many are the
    pipeline's fault: the lead reached its rep too late. A step without anything before it has no share;
    it is never 0 % or 100 %.
    """
    received = counted.get("received", 0)
    assigned = counted.get("assigned", 0)
    qualified = assigned + counted.get("parked", 0)
    responded = counted.get("responded", 0)
    breached, excused = counted.get("breached", 0), counted.get("breached_by_pipeline", 0)
    judged = responded + breached
    return (
        Kpi("received", "Received", received, None, "inquiries today"),
        Kpi("mql", "MQL", qualified, _share(qualified, received), "of received, met the agreement"),
        Kpi("assigned", "Assigned", assigned, _share(assigned, qualified), "of MQL, have an owner"),
        Kpi("responded", "Responded", responded, _share(responded, judged), "of today's judged responses, in time"),
        Kpi("breached", "Breached", breached, _share(breached, judged), _late(excused)),
    )


def _late(excused: int) -> str:
    charged = f"; {excused} of them charged to the pipeline" if excused else ""
    return f"of today's judged responses, too late{charged}"


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None
