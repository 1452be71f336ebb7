"""Promises of sales on each lead, promises of operations, and commitments of marketing."""

from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal

from shared.agreement_file.build.segments import on_clock, segments_of
from shared.agreement_file.conditions.condition_reader import ConditionReader
from shared.agreement_file.schema.promise_schema import (
    Attempts,
    HandOffLatency,
    MarketingPromises,
    OperationsPromises,
    PauseBlock,
    SalesPromise,
    SalesPromises,
    Volume,
)
from shared.agreement_file.text.findings import Findings, Path
from shared.agreement_file.text.values import UNIT_S
from shared.domain.agreement import Commitment, Duration, Pause, Promise
from shared.domain.lead import HANDED_OVER

SALES: Path = ("promises", "sales")
OPERATIONS: Path = ("promises", "operations")
MARKETING: Path = ("promises", "marketing")
PAUSABLE = ("attempts", "disposition", "feedback")
"""The promises that may be paused: those after the first response, for which the buyer waits however busy a rep is."""
LONGEST_PAUSE_S = 90 * UNIT_S["day"]
LONGEST_PAUSE_DAYS = 60


def sales_promises_of(
    block: SalesPromises, ladders: Collection[str] | None, reader: ConditionReader
) -> dict[str, Promise]:
    """What sales owes on each lead, durations on the promise's clock. `ladders` are the known names, None if unsure."""
    findings = reader.findings
    given = ((name, getattr(block, name)) for name in SalesPromises.model_fields if name != "pause")
    made = {name: _promise(name, each, ladders, reader) for name, each in given if each is not None}
    pause = _pause(block.pause, findings)
    paused = block.pause.promises if block.pause is not None else None
    for index, name in enumerate(paused or ()):
        if name not in made:
            findings.refuse_unknown((*SALES, "pause", "promises", index), "promise", name, made)
    names = [name for name in PAUSABLE if name in made and (paused is None or name in paused)]
    if pause is not None and not names and paused is None:
        findings.refuse(
            (*SALES, "pause"), "no_effect", f"there is no promise to pause: promise one of {', '.join(PAUSABLE)}"
        )
    return made | {name: replace(made[name], pause=pause) for name in names}


def _pause(block: PauseBlock | None, findings: Findings) -> Pause | None:
    if block is None:
        return None
    if block.at_most.seconds > LONGEST_PAUSE_S or block.at_most.days > LONGEST_PAUSE_DAYS:
        long = f"`{block.at_most.text}` is too long for a pause: write at most 60 business days or 90 days"
        findings.refuse((*SALES, "pause", "at_most"), "wrong_value", long)
    return Pause(block.at_most, block.times)


def operations_of(
    block: OperationsPromises | None,
    ladders: Collection[str] | None,
    findings: Findings,
    hand_off_within: Duration | None = None,
) -> dict[str, Promise]:
    """What operations owes: on inquiries (`hand_off`, whose time is among the definitions), on parked leads (`triage`)
    and on `disputes`. Business time is in the owner's calendar.
    """
    hand_off, triage, disputes = (block.hand_off, block.triage, block.disputes) if block else (None, None, None)
    given = []
    if hand_off and hand_off_within is None:
        what = "there is no time for it: add `hand_off_within` under `definitions`, `mql`"
        findings.refuse((*OPERATIONS, "hand_off"), "missing", what, key=True)
    if hand_off and hand_off_within is not None:
        given.append(("hand_off", hand_off_within, hand_off.ladder))
    if triage:
        given.append(("triage", triage.parked_within, triage.ladder))
    if disputes:
        given.append(("disputes", disputes.answered_within, disputes.ladder))
    for name, _, ladder in given:
        _check_ladder(ladder, (*OPERATIONS, name), ladders, findings)
    return {
        name: Promise(name, within, (), ladder, "rep_calendar" if within.business else "wall", side="operations")
        for name, within, ladder in given
    }


def commitments_of(
    block: MarketingPromises | None, ladders: Collection[str] | None, reader: ConditionReader
) -> dict[str, Commitment]:
    """What marketing owes over a period. Refuses unknown fields, and business time for the hand-off."""
    made = {}
    for measure in MarketingPromises.model_fields if block else ():
        each = getattr(block, measure)
        if each is None:
            continue
        path: Path = (*MARKETING, measure)
        _check_ladder(each.ladder, path, ladders, reader.findings)
        fields = tuple(getattr(each, "fields", ()))
        for index, name in enumerate(fields):
            reader.field(name, (*path, "fields", index))
            if name not in HANDED_OVER:
                counted = f"`{name}` is not handed over with a lead, so it does not count: name contact and company"
                reader.findings.warn((*path, "fields", index), "not_counted", counted)
        if isinstance(each, Volume):
            target = Decimal(each.mql_accepted)
        elif isinstance(each, HandOffLatency):
            target = Decimal(each.p95.seconds)
            if each.p95.business:
                wall = "the hand-off is counted on the wall clock: leave out `business`"
                reader.findings.refuse((*path, "p95"), "clock", wall)
        else:
            target = each.at_least
        made[measure] = Commitment(measure, target, each.per, each.ladder, fields)
    return made


def _promise(name: str, block: SalesPromise, ladders: Collection[str] | None, reader: ConditionReader) -> Promise:
    path: Path = (*SALES, name)
    findings = reader.findings
    _check_ladder(block.ladder, path, ladders, findings)
    kinds = [answer.kind for answer in block.met_by]
    outcomes = {answer.kind: answer.outcomes for answer in block.met_by if answer.outcomes is not None}
    if outcomes:
        findings.refuse_repeated(kinds, (*path, "met_by"))
    _check_answers(name, kinds, (*path, "met_by"), findings)
    return Promise(
        name=name,
        within=on_clock(block.within, block.clock, (*path, "within"), findings),
        met_by=tuple(kinds),
        outcomes=outcomes,
        by=block.by,
        ladder=block.ladder,
        clock=block.clock,
        segments=segments_of(name, block, path, reader),
        at_least=block.at_least if isinstance(block, Attempts) else 1,
    )


def _check_answers(name: str, kinds: Collection[str], path: Path, findings: Findings) -> None:
    """Refuses a promise of what sales decides, or says about a lead, that something else keeps."""
    if name in ("acceptance", "disposition") and not set(kinds) & {"accepted", "rejected"}:
        decided = f"`{name}` is met by what sales decides: write accepted, rejected or both"
        findings.refuse(path, "wrong_value", decided)
    if name == "feedback" and not set(kinds) & {"accepted", "rejected", "objection"}:
        about = "`feedback` is met by what sales says about the lead: write accepted, rejected or objection"
        findings.refuse(path, "wrong_value", about)


def _check_ladder(name: str, path: Path, ladders: Collection[str] | None, findings: Findings) -> None:
    if ladders is not None and name not in ladders:
        findings.refuse_unknown((*path, "ladder"), "ladder", name, ladders)
