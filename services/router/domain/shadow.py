"""What a draft in shadow mode would have decided. It assigns no lead and takes no turn of the real rotation; the result
is stored for comparison.

The shadow has its own rotation, which starts from the real one. Loads and absences are the real ones, so a draft with
other limits is shown as if it took over at that moment.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from services.router.domain.assignment import Turns
from services.router.domain.availability import leave_ahead
from services.router.domain.placement import Placement, last_owner, place
from services.router.domain.proof import Proof, VerdictKind, known_facts
from services.router.domain.qualification import judge
from services.router.domain.routing_state import RoutingState
from services.router.domain.verdict import Verdict
from shared.domain.agreement import Agreement, Pilot
from shared.domain.conditions import DecisionFacts
from shared.domain.lead import LeadStage
from shared.domain.promises import owed, respond_by

JUDGED = ("assigned", "parked", "rejected")


class Shadow(msgspec.Struct, frozen=True, omit_defaults=True):
    """The two verdicts on one inquiry: `verdict`, `stage`, `score`, `rep`, `pool`, `rule` and `respond_by` are the
    draft's, `real_*` are what was decided.
    """

    pilot: str
    lead_id: str
    inquiry_id: str
    at: datetime
    verdict: VerdictKind
    reason: str
    stage: LeadStage
    score: int
    real_verdict: VerdictKind
    real_stage: LeadStage
    real_score: int
    rep: str | None = None
    pool: str | None = None
    rule: str | None = None
    respond_by: datetime | None = None
    real_rep: str | None = None
    real_respond_by: datetime | None = None

    @property
    def differs(self) -> bool:
        """Whether the draft decides otherwise."""
        mine = (self.verdict, self.stage, self.rep, self.respond_by)
        return mine != (self.real_verdict, self.real_stage, self.real_rep, self.real_respond_by)


def shadows(routing: RoutingState, agreement: Agreement, verdict: Verdict) -> Iterator[Shadow]:
    """The verdicts of each shadow draft whose scope includes the inquiry. Changes `routing`: their rotations go on."""
    proof = verdict.proof
    if proof.inquiry is None or proof.ask is not None or proof.verdict not in JUDGED or proof.inquiry.test:
        return
    facts = known_facts(proof.inquiry, proof.known, proof.account, proof.judged_at)
    for pilot in agreement.pilots:
        if pilot.mode == "shadow" and pilot.scope.test(facts):
            yield _shadow(routing, pilot, verdict, facts)


def _shadow(routing: RoutingState, pilot: Pilot, verdict: Verdict, facts: DecisionFacts) -> Shadow:
    draft, proof, lead = pilot.agreement, verdict.proof, verdict.lead
    assert proof.inquiry is not None  # noqa: S101 (its caller has looked)
    now = proof.decided_at
    remembered = proof.known.intents if proof.known is not None else ()
    judgement = judge(draft, proof.inquiry, facts, remembered)
    placed = _placed(routing, pilot, facts, proof) if judgement.qualified else None
    deadline = None
    if placed is not None and placed.rep is not None:
        leave = leave_ahead(draft.people[placed.rep], routing.state(placed.rep), now)
        segments = judgement.segments
        deadline = respond_by(
            owed(draft, rep=placed.rep, score=judgement.score, assigned_at=now, leave=leave, segments=segments)
        )
    real = proof.verdict == "assigned"
    return Shadow(
        pilot=pilot.name,
        lead_id=lead.lead_id,
        inquiry_id=verdict.inquiry_id,
        at=now,
        verdict="rejected" if placed is None else "parked" if placed.rep is None else "assigned",
        reason=judgement.reason if placed is None else placed.why,
        stage=judgement.stage,
        score=judgement.score,
        real_verdict=proof.verdict,
        real_stage=proof.stage,
        real_score=proof.score,
        rep=placed.rep if placed is not None else None,
        pool=placed.pool if placed is not None else None,
        rule=placed.rule if placed is not None else None,
        respond_by=deadline,
        real_rep=proof.rep if real else None,
        real_respond_by=lead.respond_by if real else None,
    )


def _placed(routing: RoutingState, pilot: Pilot, facts: DecisionFacts, proof: Proof) -> Placement:
    turns = {
        name: routing.turns.get(_key(pilot, name)) or routing.turns.get(name) or Turns()
        for name in pilot.agreement.pools
    }
    aside = RoutingState(turns, routing.reps)
    last = last_owner(proof.known, proof.known.last_rep) if proof.known is not None else None
    placed = place(aside, pilot.agreement, facts, proof.decided_at, last=last, account=proof.account)
    for name in aside.touched_turns:
        routing.set_turns(_key(pilot, name), aside.turns[name])
    return placed


def _key(pilot: Pilot, pool: str) -> str:
    """The shadow rotation's name; no pool can have it, since names have no slash."""
    return f"{pilot.name}/{pool}"
