"""The record of a verdict: its inputs, the agreement, whose turn it was, and the outcome.

It stores the complete inputs and the outcome. The steps between are re-derived on reading (`explained`, and
`services.router.domain.rederivation`), so that writing a proof is cheap and reading one checks it.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from services.router.domain.assignment import Turn
from services.router.domain.availability import RepState
from services.router.domain.facts import Fact
from services.router.domain.formats import EARLY_WITHDRAWALS, FORMAT, LAST_WORD, OLDEST_FORMAT, WHOLE_PERSON
from services.router.domain.lead import Lead, consent_given_at, filled, latest
from services.router.domain.qualification import (
    Check,
    Intent,
    Judgement,
    checks,
    excluded,
    judge,
    rules_tried,
    segments_tried,
)
from services.router.domain.routing_state import Candidates, Owner
from shared.domain.activities import WITHDRAWN
from shared.domain.agreement import Agreement
from shared.domain.conditions import DecisionFacts, facts_of
from shared.domain.events import AgreementRef, InquiryReceived, PromiseSegment
from shared.domain.lead import LeadStage, LeadState
from shared.domain.segments import chosen

CONSENT_WITHDRAWN = "consent: withdrawn"
"""The part of a judgement that fails until the person gives a new consent."""

VerdictKind = Literal["assigned", "reassigned", "parked", "rejected", "merged", "split"]
"""What a verdict comes to."""

ReassignKind = Literal[
    "missed", "declined", "manual", "left", "on_leave", "drained", "same_person", "split", "reopened", "rescored",
    "rejudged",
]  # fmt: skip
"""Why a lead that was decided on is given to someone, is judged again, or goes on as another."""

ON_LEAVE: Literal["on_leave"] = "on_leave"
STAYS_WITH_OWNER = ("reopened", "rescored", "split")
"""Kinds of reasons for which a lead's promises start again with the owner it has, unless they have left the team."""
OTHERS_GET_IT = ("declined", "left", ON_LEAVE, "drained")
"""Kinds of reasons for which the owner of the person's company may get a lead."""


class TurnRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn: the candidates with their weights, the rotation before it, who came out, and why not the others.

    `balances_before` are in leads times `denominator`: positive when a member was behind their share. `held` are open
    leads, where the pool goes by them.
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
    held: Mapping[str, int] = {}


class Skipped(msgspec.Struct, frozen=True):
    """A routing rule that matched and still did not decide, and why."""

    rule: str
    why: str


class ReassignReason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why someone else gets a lead: the ladder asked (`missed`), the rep gave it back (`declined`), a person decided
    (`manual`), the owner left the team (`left`) or went on leave (`on_leave`), a parked lead's time has come
    (`drained`), sales accepted what it had rejected (`reopened`, `at` which instant), or another inquiry raised its
    score (`rescored`). A person may also have decided that two leads are of one person (`same_person`), that one is of
    another person after all (`split`), or that leads are judged again (`rejudged`).

    `to_rep` and `to_pool` are what a person asked for, with their `reason`.
    """

    kind: ReassignKind
    by: str | None = None
    reason: str | None = None
    to_rep: str | None = None
    to_pool: str | None = None
    at: datetime | None = None


class Inquiries(msgspec.Struct, frozen=True):
    """The inquiries of a lead that is split, oldest first; `theirs` came under the id that is split off."""

    theirs: tuple[InquiryReceived, ...] = ()
    others: tuple[InquiryReceived, ...] = ()


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    """A verdict with its inputs.

    `before` is the lead before the verdict, `same_person` other leads of the person, `maybe_same_person` leads of
    people with the same number, `account` the owner of the company. `states` are those of reps whose limits or absences
    mattered. If no rep was available, `passed_over` says why. `stays` is the state of a lead that the verdict leaves as
    it was: only the inquiry was rejected; after a split, `received` for one on which another verdict follows.
    `inquiries` are those that a split shares out. `again`: it had joined the lead, which turned out to have ended
    before. `in_force` is the agreement in force, if the verdict is under another, like a pilot's draft.
    `other_inquiries` of the lead were judged again with `inquiry`, the one that counts. `withdrawn_at` is when the
    person withdrew consent before they had a lead. `segments` are those of promises in which the lead is.
    """

    verdict: VerdictKind
    reason: str
    lead_version: int
    agreement: AgreementRef
    decided_at: datetime
    inquiry: InquiryReceived | None = None
    other_inquiries: tuple[InquiryReceived, ...] = ()
    stage: LeadStage = ""
    score: int = 0
    score_parts: tuple[str, ...] = ()
    rule: str | None = None
    skipped: tuple[Skipped, ...] = ()
    turn: TurnRecord | None = None
    rep: str | None = None
    joined: str | None = None
    moved_from: str | None = None
    ask: ReassignReason | None = None
    before: Lead | None = None
    same_person: tuple[Lead, ...] = ()
    maybe_same_person: tuple[Lead, ...] = ()
    account: Owner | None = None
    states: Mapping[str, RepState] = {}
    passed_over: Mapping[str, str] = {}
    pilot: str | None = None
    in_force: AgreementRef | None = None
    seq: int = 0
    stays: LeadState | None = None
    again: bool = False
    withdrawn_at: datetime | None = None
    inquiries: Inquiries | None = None
    segments: tuple[PromiseSegment, ...] = ()
    # Stored proofs of this format do not name it.
    format: int = OLDEST_FORMAT

    @property
    def judges(self) -> bool:
        """Whether the inquiry was judged, for the first time or again."""
        return self.ask is None or self.ask.kind == "rejudged"

    @property
    def judged_at(self) -> datetime:
        """The instant to which points fade and signals count: points do not fade while an inquiry waits to be read."""
        return judging_instant(self.inquiry, self.decided_at, self.format) if self.judges else self.decided_at

    @property
    def known(self) -> Lead | None:
        """The person's lead that counted in the judgement."""
        return counting(self.before, self.inquiry, self.format)


def comes_too_late(lead: Lead, fact: Fact, proof_format: int) -> bool:
    """Whether the fact changes nothing because the lead has ended, by the rules of an earlier release."""
    return lead.state == "closed" and fact.kind != WITHDRAWN and proof_format < LAST_WORD


def in_order(inquiries: Iterable[InquiryReceived]) -> list[InquiryReceived]:
    """In the order in which they were accepted, by id among equals."""
    return sorted(inquiries, key=lambda each: (each.accepted_at, each.inquiry_id))


def withdraws_early(fact: Fact, proof_format: int) -> bool:
    """Whether the fact ends a lead although it is older: a withdrawal of consent waits for an earlier inquiry too."""
    return fact.kind == WITHDRAWN and proof_format >= EARLY_WITHDRAWALS


class Judged(msgspec.Struct, frozen=True):
    """An inquiry with the facts and the `remembered` intents that it was judged on, and the judgement."""

    inquiry: InquiryReceived
    facts: DecisionFacts
    remembered: tuple[Intent, ...]
    judgement: Judgement


def judged_together(
    agreement: Agreement,
    lead: Lead,
    inquiries: Collection[InquiryReceived],
    account: Owner | None,
    decided_at: datetime,
    proof_format: int = FORMAT,
) -> Judged:
    """All inquiries of a lead judged again, in the order in which they were accepted: the first that qualifies makes it
    a lead, and later ones can raise its score, unless the agreement excludes them. If none qualifies, the one with the
    highest score counts.
    """
    tried, intents = [], lead.intents
    for inquiry in inquiries:
        at = judging_instant(inquiry, decided_at, proof_format)
        facts = known_facts(inquiry, lead, account, at, again=True, proof_format=proof_format)
        remembered = tuple([each for each in intents if each.at <= at])
        judged = Judged(inquiry, facts, remembered, judge(agreement, inquiry, facts, remembered))
        if not excluded(agreement, facts):
            intents = tuple(dict.fromkeys((*intents, *judged.judgement.intents)))
        tried.append(judged)
    valid = [each for each in tried if not excluded(agreement, each.facts)] or tried
    first = next((each for each in valid if each.judgement.qualified), None)
    counting = valid[valid.index(first) :] if first is not None else valid
    best = max(counting, key=lambda each: each.judgement.score)
    scored = {name: getattr(best.judgement, name) for name in ("score", "reasons", "parts")}
    found = first or best
    segments = chosen(agreement, best.judgement.score, found.facts) if first is not None else ()
    judgement = replace(found.judgement, **scored, intents=valid[-1].judgement.intents, segments=segments)
    return replace(found, judgement=judgement)


def proof_on(
    lead: Lead, verdict: VerdictKind, reason: str, *, agreement: AgreementRef, now: datetime, **inputs: Any
) -> Proof:
    """The proof of a verdict that leaves `lead`, with the `inputs` that it rests on."""
    return Proof(
        verdict=verdict,
        reason=reason,
        lead_version=lead.version,
        agreement=agreement,
        decided_at=now,
        stage=lead.stage,
        score=lead.score,
        segments=lead.segments,
        **{"format": FORMAT, **inputs},
    )


def turn_record(turn: Turn, pool: str, candidates: Candidates, held: Mapping[str, int] | None) -> TurnRecord:
    """A turn among `candidates` in the form of the record."""
    before = turn.before
    return TurnRecord(
        pool=pool,
        number=turn.after.number,
        weights=candidates.available,
        denominator=before.denominator,
        balances_before=before.balances,
        taken_before=before.taken,
        rep=turn.rep,
        why=turn.why,
        passed_over=candidates.passed_over,
        held=held or {},
    )


def judging_instant(inquiry: InquiryReceived | None, decided_at: datetime, proof_format: int) -> datetime:
    """The instant for which an inquiry is judged: when it was accepted, however late it is read."""
    return decided_at if inquiry is None or proof_format == OLDEST_FORMAT else inquiry.accepted_at


def counting(before: Lead | None, inquiry: InquiryReceived | None, proof_format: int = FORMAT) -> Lead | None:
    """The person's lead as far as an inquiry is judged with it: a test is judged as if from someone new, and a lead of
    tests counts for no one.
    """
    if proof_format > OLDEST_FORMAT and before is not None and (before.test or (inquiry is not None and inquiry.test)):
        return None
    return before


def consent_missing(persons: Collection[Lead], inquiry: InquiryReceived, withdrawn_at: datetime | None = None) -> bool:
    """Whether the person withdrew consent under any of their leads, or before that, and has given none since."""
    withdrawn_at = latest((withdrawn_at, *(lead.withdrawn_at for lead in persons)))
    given_at = latest((consent_given_at(inquiry), *(lead.consent_at for lead in persons)))
    return withdrawn_at is not None and (given_at is None or given_at < withdrawn_at)


def known_facts(
    inquiry: InquiryReceived,
    before: Lead | None,
    account: Owner | None,
    at: datetime,
    *,
    again: bool = False,
    proof_format: int = FORMAT,
) -> DecisionFacts:
    """The facts that rules compare: those of the inquiry, contact, company and signals also from those before, and who
    owns what.

    `before` is the lead as it was; a lead or a company counts as owned when it has, or had, someone. When the lead is
    routed `again`, those who had it in this cycle do not count.
    """
    had_by = None
    if before is not None:
        had_by = before.earlier_rep if again else before.last_rep
    signals = (*before.signals, *inquiry.signals) if before is not None else inquiry.signals
    return DecisionFacts(
        facts_of(inquiry if before is None or proof_format < WHOLE_PERSON else _with_known(inquiry, before)),
        at,
        tuple(dict.fromkeys(signals)),
        account_owned=account is not None,
        lead_owned=had_by is not None,
    )


def _with_known(inquiry: InquiryReceived, before: Lead) -> InquiryReceived:
    """The inquiry with what the person gave earlier; what they gave this time counts more."""
    contact, company = filled(inquiry.contact, before.contact), filled(inquiry.company, before.company)
    return replace(inquiry, contact=contact, company=company)


def explained(proof: Proof, agreement: Agreement) -> dict[str, Any]:
    """The proof for a reader: with every check of the definition, every routing rule tried, and every candidate.

    `agreement` is the one that the proof names. Turn balances are text, since they may exceed what a reader's
    numbers hold.
    """
    shown: dict[str, Any] = msgspec.to_builtins(proof)
    for inner in ("before", "same_person", "states", "inquiries", "other_inquiries"):
        shown.pop(inner, None)
    if proof.maybe_same_person:
        shown["maybe_same_person"] = [lead.lead_id for lead in proof.maybe_same_person]
    if proof.inquiry is not None and proof.verdict != "merged":
        judged = _judged(proof, proof.inquiry, agreement)
        facts = judged.facts
        if proof.judges:
            tried = checks(agreement, proof.inquiry, facts, judged.remembered)
            persons = (proof.known, *proof.same_person) if proof.known is not None else ()
            if consent_missing(persons, proof.inquiry, proof.withdrawn_at):
                tried = (Check(CONSENT_WITHDRAWN, passed=False),)
            shown["qualification"] = _shown(tried)
            shown["scoring"] = msgspec.to_builtins(judged.judgement.parts)
        if proof.rule is not None:
            shown["routing"] = _shown(rules_tried(agreement, facts, proof.rule))
        if proof.segments:
            at, again = proof.inquiry.accepted_at, proof.ask is not None
            facts = known_facts(proof.inquiry, proof.known, proof.account, at, again=again, proof_format=proof.format)
            shown["promises"] = _shown(segments_tried(agreement, proof.score, facts, proof.segments))
    if proof.turn is not None:
        turn = proof.turn
        waiting = {rep: "not their turn" for rep in turn.weights if rep != turn.rep}
        shown["turn"] |= {
            "denominator": str(turn.denominator),
            "balances_before": {rep: str(balance) for rep, balance in turn.balances_before.items()},
            "passed_over": {**waiting, **turn.passed_over},
        }
    return shown


def _judged(proof: Proof, inquiry: InquiryReceived, agreement: Agreement) -> Judged:
    known, again = proof.known, proof.ask is not None
    if again and proof.judges and known is not None:
        every = in_order((inquiry, *proof.other_inquiries))
        return judged_together(agreement, known, every, proof.account, proof.decided_at, proof.format)
    facts = known_facts(inquiry, known, proof.account, proof.judged_at, again=again, proof_format=proof.format)
    remembered = known.intents if known is not None else ()
    return Judged(inquiry, facts, remembered, judge(agreement, inquiry, facts, remembered))


def _shown(tried: tuple[Check, ...]) -> list[dict[str, Any]]:
    return [{"part": c.part, "passed": c.passed, "compared": msgspec.to_builtins(c.compared)} for c in tried]
