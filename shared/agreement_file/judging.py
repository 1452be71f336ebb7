"""What both sides call a qualified lead, how it is scored, and which words sales answers with."""

from collections.abc import Sequence

from shared.agreement_file.conditions import ConditionReader
from shared.agreement_file.findings import Findings, Path
from shared.agreement_file.schema import Feedback, MqlBlock, ScoreBlock
from shared.domain.agreement import Exclusion, Mql, RejectReason, ScoreRule

_MQL: Path = ("definitions", "mql")


def mql_of(block: MqlBlock, reader: ConditionReader) -> Mql:
    """The definition of a marketing qualified lead, with its conditions compiled."""
    for index, name in enumerate(block.minimum_data):
        reader.field(name, (*_MQL, "minimum_data", index))
    exclude = [
        (each, reader.read(each.when, (*_MQL, "exclude", index, "when"))) for index, each in enumerate(block.exclude)
    ]
    if block.hand_off_within and block.hand_off_within.business:
        wall = "the hand-off is counted on the wall clock: leave out `business`"
        reader.findings.refuse((*_MQL, "hand_off_within"), "clock", wall)
    return Mql(
        minimum_data=tuple(block.minimum_data),
        consent_basis=tuple(block.consent.basis) if block.consent else (),
        exclude=tuple(Exclusion(each.reason, when) for each, when in exclude if when is not None),
        fit=reader.read(block.fit, (*_MQL, "fit")),
        score_at_least=block.score.at_least if block.score else None,
        hand_off_within=block.hand_off_within,
    )


def scoring_of(blocks: Sequence[ScoreBlock], reader: ConditionReader) -> tuple[ScoreRule, ...]:
    """The score's rules in order."""
    read = [(block, reader.read(block.when, ("scoring", index, "when"))) for index, block in enumerate(blocks)]
    return tuple(ScoreRule(block.add, block.reason, when) for block, when in read if when is not None)


def check_score(mql: Mql, promised_from: int | None, blocks: Sequence[ScoreBlock], findings: Findings) -> None:
    """Refuses a score that no lead can reach, and warns of a promise that none can."""
    highest = sum(block.add for block in blocks if block.add > 0)
    most = f"all rules under `scoring` together add up to {highest}"
    if mql.score_at_least is not None and mql.score_at_least > highest:
        none = f"no lead can reach {mql.score_at_least}: {most}"
        findings.refuse((*_MQL, "score", "at_least"), "unreachable", none)
    if promised_from is not None and promised_from > highest:
        path: Path = ("promises", "sales", "first_response", "when", "score", "at_least")
        findings.warn(path, "unreachable", f"no lead can reach {promised_from}: {most}")


def reject_reasons_of(block: Feedback, findings: Findings) -> dict[str, RejectReason]:
    """The reasons by code. Refuses a code that is given twice."""
    reasons: dict[str, RejectReason] = {}
    for index, each in enumerate(block.reject_reasons):
        if each.code in reasons:
            path: Path = ("feedback", "reject_reasons", index, "code")
            findings.refuse(path, "duplicate", f"`{each.code}` is listed twice: keep one")
        reasons[each.code] = RejectReason(each.code, each.needs == "text")
    return reasons
