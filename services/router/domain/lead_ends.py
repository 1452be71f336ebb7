"""A lead as the ends leave it that were reported under some of the person's ids, or under none."""

from collections.abc import Collection

from msgspec.structs import replace

from services.router.domain.lead import Lead, ReportedEnd
from shared.domain.activities import WITHDRAWN, reported_stage
from shared.domain.lead import LeadStage, highest


def released(lead: Lead) -> Lead:
    """The lead of one of two people who were taken for one: an end that was reported is not about it. Its next owner is
    never the first one, for whom what came before would count.
    """
    lead = replace(lead, generation=max(lead.generation, 1))
    if lead.outcome is None:
        return lead
    return replace(lead, stage=_stage_without_end(lead), outcome=None, ended_at=None, sales_rejected=False)


def ended_by(lead: Lead, ends: Collection[ReportedEnd]) -> Lead:
    """The lead as these ends leave it, of which there is at least one: sales' last one, else that of consent."""
    end = max(ends, key=lambda each: (each.kind != WITHDRAWN, each.at))
    stage = highest(_stage_without_end(lead), reported_stage(end.kind, None) or "mql")
    return replace(
        lead,
        state="closed",
        stage=stage,
        outcome=end.kind,
        ended_at=end.at,
        reason=end.reason,
        sales_rejected=any(each.kind == "rejected" for each in ends),
        parked_at=None,
    )


def _stage_without_end(lead: Lead) -> LeadStage:
    return "sal" if lead.accepted_at is not None else "mql"
