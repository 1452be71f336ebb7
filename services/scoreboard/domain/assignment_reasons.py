"""Why this rep, in sentences, from the assignment event alone. The router's proof has the rest."""

from services.scoreboard.domain.timeline_text import handed_over
from shared.domain.events import LeadAssigned


def why_this_rep(event: LeadAssigned) -> tuple[str, ...]:
    """The reasons for this owner: the score, the way to them, and the agreement."""
    deal = f"{event.agreement.name}, version {event.agreement.version}"
    return (_merits(event), *_way(event), f"Both sides agreed to this in {deal}.")


def _way(event: LeadAssigned) -> tuple[str, ...]:
    pool = f" in the pool {event.pool}" if event.pool else ""
    if event.because == "manual":
        return (handed_over(event),)
    decided = f"The rule “{event.rule}” decided, and {event.rep.id}{pool} got it."
    if event.because is None and event.generation == 1:
        return (decided,)
    return handed_over(event), decided


def _merits(event: LeadAssigned) -> str:
    reasons = "; ".join(event.reasons)
    return f"It scored {event.score}: {reasons}." if reasons else f"It scored {event.score}."
