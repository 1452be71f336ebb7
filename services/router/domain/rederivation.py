"""Checks a verdict by re-deriving it from its record and the agreement's text, with the rules that made it.

A record is a file of two lines, the content as JSON and the digest of that line, so that an accidental change is
detected; and re-deriving each verdict must give the recorded one.
"""

from collections.abc import Mapping
from datetime import date
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from services.router.domain.assignment import Turns
from services.router.domain.decision import decide
from services.router.domain.formats import OLDEST_FORMAT
from services.router.domain.merging import merge
from services.router.domain.proof import Proof
from services.router.domain.reassignment import reassign
from services.router.domain.rejudgement import REJUDGED, judge_again
from services.router.domain.routing_state import RoutingState
from services.router.domain.splitting import split
from services.router.domain.verdict import Verdict
from shared.domain.agreement import Agreement
from shared.domain.errors import Refused


class AgreementText(msgspec.Struct, frozen=True, omit_defaults=True):
    """The text of an agreement, with the texts of its pilots' drafts by file name, and the public holidays that it was
    read with.
    """

    text: str
    drafts: Mapping[str, str] = {}
    holidays: Mapping[str, tuple[date, ...]] = {}


class ProofRecord(msgspec.Struct, frozen=True):
    """All verdicts on a lead, oldest first, and the agreements (by hash) that they were made under."""

    lead_id: str
    proofs: tuple[Proof, ...]
    agreements: Mapping[str, AgreementText]


def encode(record: ProofRecord) -> bytes:
    """The record as a file."""
    content = msgspec.json.encode(record)
    return content + b"\nsha256:" + sha256(content).hexdigest().encode() + b"\n"


def decode(data: bytes) -> ProofRecord:
    """The record in a file. Raises Refused if a byte was changed, or if it is not a record."""
    content, _, digest = data.partition(b"\n")
    if digest != b"sha256:" + sha256(content).hexdigest().encode() + b"\n":
        raise Refused("The record was changed: its digest does not match its content. Download it again.")
    try:
        return msgspec.json.decode(content, type=ProofRecord)
    except msgspec.DecodeError as error:
        raise Refused(f"This is not a lead's record: {error}. Download it from GET /v1/leads/ID/record.") from error


def differences(proof: Proof, agreement: Agreement) -> tuple[str, ...]:
    """The parts of the verdict that do not follow from its record; empty if all do.

    `agreement` is the one whose hash is in the proof. Records of an older format do not contain enough to check.
    """
    if proof.format < OLDEST_FORMAT:
        return (f"format: the record has format {proof.format}, which does not hold all that the verdict rests on",)
    again = _decide_again(proof, agreement)
    if again is None:
        return ("verdict: none follows from the record",)
    again = replace(again, seq=proof.seq, pilot=proof.pilot, in_force=proof.in_force, again=proof.again)
    again = replace(again, format=proof.format)
    stated, derived = (msgspec.to_builtins(each) for each in (proof, again))
    names = sorted({*stated, *derived})
    return tuple(
        f"{name}: the record says {_short(stated.get(name))}, what follows is {_short(derived.get(name))}"
        for name in names
        if stated.get(name) != derived.get(name)
    )


def _decide_again(proof: Proof, agreement: Agreement) -> Proof | None:
    verdict: Verdict | None = None
    routing = _recorded_state(proof)
    inquiry, before = proof.inquiry, proof.before
    if proof.ask is not None and proof.ask.kind == "same_person" and before is not None:
        verdict = merge(routing, proof.same_person[0], before, proof.ask, proof.decided_at)
    elif proof.verdict == "split" and proof.ask is not None and before is not None and proof.inquiries is not None:
        other = proof.same_person[0]
        verdict = split(routing, before, other, proof.inquiries, proof.ask, proof.decided_at)
    elif proof.ask is not None and before is not None and inquiry is not None:
        inputs = (routing, agreement, proof.ask, before, inquiry, proof.decided_at, proof.account)
        if proof.ask.kind == REJUDGED:
            verdict = judge_again(*inputs, others=proof.other_inquiries)
        else:
            verdict = reassign(*inputs)
    elif proof.ask is None and inquiry is not None:
        verdict = decide(
            routing,
            agreement,
            inquiry,
            proof.decided_at,
            proof.account,
            withdrawn_at=proof.withdrawn_at,
        )
    return verdict.proof if verdict is not None else None


def _recorded_state(proof: Proof) -> RoutingState:
    turns = {}
    if proof.turn is not None:
        turn = proof.turn
        before = Turns(turn.number - 1, turn.denominator, turn.balances_before, turn.taken_before)
        turns[turn.pool] = before
    routing = RoutingState(
        turns,
        proof.states,
        proof_format=proof.format,
    )
    known = (proof.before,) if proof.before is not None else ()
    routing.load((*known, *proof.same_person, *proof.maybe_same_person))
    return routing


def _short(value: object) -> str:
    shown = msgspec.json.encode(value).decode()
    return shown if len(shown) <= 200 else shown[:197] + "..."
