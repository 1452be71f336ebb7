"""Why this rep: the assignment's own record, in sentences that a rep understands."""

from shared.domain.events import LeadAssigned


def why_this_rep(event: LeadAssigned) -> tuple[str, ...]:
    """What led to this owner: the lead's merits, the rule that matched, the turn in its pool, and who had it before."""
    rep = event.rep.id
    deal = f"{event.agreement.name}, version {event.agreement.version}"
    said = [
        _merits(event),
        f"The rule “{event.rule}” was the first that matched; it sends leads to the pool {event.pool}.",
    ]
    if event.generation > 1:
        before = event.previous_rep or "Another rep"
        said.append(f"{before} had it before. It moved, and this is owner number {event.generation}.")
    said.append(f"In {event.pool} it was {rep}’s turn among the reps who could take it.")
    said.append(f"Both sides agreed to this in {deal}.")
    return tuple(said)


def _merits(event: LeadAssigned) -> str:
    reasons = "; ".join(event.reasons)
    return f"It scored {event.score}: {reasons}." if reasons else f"It scored {event.score}."
