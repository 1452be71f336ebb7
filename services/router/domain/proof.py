"""The record of a verdict: what was known, under which agreement, whose turn it was, and what came of it.

It holds the inputs whole and the outcome; all in between follows from them and is worked out again when somebody asks
(`explained`), so that writing a proof costs little and reading one checks it.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.router.domain.assignment import Turn
from services.router.domain.qualification import Check, checks, rules_tried
from shared.domain.agreement import Agreement
from shared.domain.conditions import facts_of
from shared.domain.events import AgreementRef, InquiryReceived

FORMAT = 1


class TurnRecord(msgspec.Struct, frozen=True):
    """One turn: the candidates with their weights, the rotation before it, who came out, and why not the others.

    `balances_before` are in leads times `denominator`: positive when a member was behind their share.
    """

    pool: str
    number: int
    weights: Mapping[str, int]
    denominator: int
    balances_before: Mapping[str, int]
    taken_before: Mapping[str, int]
    rep: str
    why: str
    passed_over: Mapping[str, str]


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    """A verdict with all that it rests on."""

    verdict: str
    reason: str
    lead_version: int
    agreement: AgreementRef
    decided_at: str
    inquiry: InquiryReceived | None = None
    stage: str = ""
    score: int = 0
    score_parts: tuple[str, ...] = ()
    rule: str | None = None
    turn: TurnRecord | None = None
    joined: str | None = None
    moved_from: str | None = None
    format: int = FORMAT


def turn_of(turn: Turn, pool: str, weights: Mapping[str, int], also_passed_over: Mapping[str, str]) -> TurnRecord:
    """A turn among `weights` in the form of the record; `also_passed_over` were no candidates, with the reason."""
    before = turn.before
    return TurnRecord(
        pool=pool,
        number=turn.after.number,
        weights=weights,
        denominator=before.denominator,
        balances_before=before.balances,
        taken_before=before.taken,
        rep=turn.rep,
        why=turn.why,
        passed_over=also_passed_over,
    )


def explained(proof: Proof, agreement: Agreement) -> dict[str, Any]:
    """The proof for a reader: with every check of the definition, every routing rule tried, and every candidate.

    `agreement` is the one that the proof names. Turn balances are text, since they may exceed what a reader's
    numbers hold.
    """
    shown: dict[str, Any] = msgspec.to_builtins(proof)
    if proof.inquiry is not None and proof.verdict != "merged":
        facts = facts_of(proof.inquiry)
        shown["qualification"] = _shown(checks(agreement, proof.inquiry, facts))
        if proof.rule is not None or proof.verdict == "parked":
            shown["routing"] = _shown(rules_tried(agreement, facts))
    if proof.turn is not None:
        turn = proof.turn
        waiting = {rep: "not their turn" for rep in turn.weights if rep != turn.rep}
        shown["turn"] |= {
            "denominator": str(turn.denominator),
            "balances_before": {rep: str(balance) for rep, balance in turn.balances_before.items()},
            "passed_over": {**waiting, **turn.passed_over},
        }
    return shown


def _shown(tried: tuple[Check, ...]) -> list[dict[str, Any]]:
    return [{"part": c.part, "passed": c.passed, "compared": msgspec.to_builtins(c.compared)} for c in tried]
