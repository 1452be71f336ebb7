"""Definitions, scoring and feedback of the file."""

from collections.abc import Collection, Mapping, Sequence

from shared.agreement_file.build.segments import path_of
from shared.agreement_file.conditions.condition_reader import ConditionReader
from shared.agreement_file.schema.agreement_schema import DecayBlock, MqlBlock, ScoreBlock, SqlBlock
from shared.agreement_file.schema.promise_schema import Feedback
from shared.agreement_file.text.block import MAX_INTEGER
from shared.agreement_file.text.findings import Findings, Path
from shared.domain.agreement import Duration, Exclusion, Mql, Promise, RejectReason, ScoreRule
from shared.domain.conditions import asks_what_was_done

_MQL: Path = ("definitions", "mql")


def mql_of(block: MqlBlock, reader: ConditionReader) -> Mql:
    """The definition of a marketing qualified lead, with its conditions compiled."""
    for index, name in enumerate(block.minimum_data):
        reader.field(name, (*_MQL, "minimum_data", index))
    exclude = [
        (each, reader.read(each.when, (*_MQL, "exclude", index, "when"))) for index, each in enumerate(block.exclude)
    ]
    if block.hand_off_within:
        _wall_s(block.hand_off_within, (*_MQL, "hand_off_within"), reader.findings, "the hand-off is counted")
    return Mql(
        minimum_data=tuple(block.minimum_data),
        consent_basis=tuple(block.consent.basis) if block.consent else (),
        exclude=tuple(Exclusion(each.reason, when) for each, when in exclude if when is not None),
        fit=reader.read(block.fit, (*_MQL, "fit")),
        score_at_least=block.score.at_least if block.score else None,
        hand_off_within=block.hand_off_within,
    )


def sql_needs_of(block: SqlBlock | None, findings: Findings) -> tuple[str, ...]:
    """What a rep has to confirm. Refuses a need that is given twice."""
    needs = block.needs if block else []
    findings.refuse_repeated(needs, ("definitions", "sql", "needs"))
    return tuple(needs)


def scoring_of(blocks: Sequence[ScoreBlock], reader: ConditionReader) -> tuple[ScoreRule, ...]:
    """The score's rules in order. Refuses one with both a `when` and a `cel`, or with neither, and more points in all
    than a score can have.
    """
    rules = []
    if (all_points := sum(abs(block.add) for block in blocks)) > MAX_INTEGER:
        what = f"the points of all rules come to {all_points}: a score can have {MAX_INTEGER} at most"
        reader.findings.refuse(("scoring",), "wrong_value", what)
    for index, block in enumerate(blocks):
        path: Path = ("scoring", index)
        given = block.model_fields_set & {"when", "cel"}
        if len(given) != 1:
            what = "`when` and `cel` can't stand together: keep one" if given else "`when` is missing here: add it"
            reader.findings.refuse(path, "wrong_value" if given else "missing", what)
            continue
        when = reader.cel(block.cel, (*path, "cel")) if "cel" in given else reader.read(block.when, (*path, "when"))
        if when is not None:
            rules.append(ScoreRule(block.add, block.reason, when, intent=asks_what_was_done(when)))
    return tuple(rules)


def half_life_of(block: DecayBlock | None, findings: Findings) -> int | None:
    """The half-life of intent points in seconds. Refuses business time."""
    return _wall_s(block.half_life, ("decay", "half_life"), findings, "points fade") if block else None


def _wall_s(length: Duration, path: Path, findings: Findings, what: str) -> int:
    if length.business:
        findings.refuse(path, "clock", f"{what} on the wall clock: leave out `business`")
    return length.seconds


def check_score(mql: Mql, promises: Mapping[str, Promise], blocks: Sequence[ScoreBlock], findings: Findings) -> None:
    """Refuses a score that no lead can reach, and warns of promises that none can."""
    highest = sum(block.add for block in blocks if block.add > 0)
    limit = f"all rules under `scoring` together add up to {highest}"
    if mql.score_at_least is not None and mql.score_at_least > highest:
        none = f"no lead can reach {mql.score_at_least}: {limit}"
        findings.refuse((*_MQL, "score", "at_least"), "unreachable", none)
    for name, promise in promises.items():
        for number, segment in enumerate(promise.segments):
            if segment.at_least_score is not None and segment.at_least_score > highest:
                path: Path = ("promises", "sales", name, *path_of(number), "when", "score", "at_least")
                findings.warn(path, "unreachable", f"no lead can reach {segment.at_least_score}: {limit}")


def reject_reasons_of(block: Feedback, promises: Collection[str] | None, findings: Findings) -> dict[str, RejectReason]:
    """The reasons by code. Refuses a code that is given twice, and an `only_after` that is none of the `promises` of
    sales (None: they could not be read)."""
    reasons: dict[str, RejectReason] = {}
    findings.refuse_repeated((each.code for each in block.reject_reasons), ("feedback", "reject_reasons"), "code")
    for index, each in enumerate(block.reject_reasons):
        path: Path = ("feedback", "reject_reasons", index)
        if each.only_after is not None and promises is not None and each.only_after not in promises:
            findings.refuse_unknown((*path, "only_after"), "promise", each.only_after, promises)
        reasons[each.code] = RejectReason(each.code, each.needs == "text", each.only_after)
    return reasons
