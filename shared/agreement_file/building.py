"""From well-shaped blocks to the agreement's value, with the checks that need more than one block.

A block that is missing or was refused is None, and what depends on it is then not checked, so that one mistake is
reported once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from shared.agreement_file.calendars import calendars_of
from shared.agreement_file.conditions import ConditionReader, read_fields
from shared.agreement_file.findings import Findings, misspelt
from shared.agreement_file.judging import check_score, mql_of, reject_reasons_of, scoring_of
from shared.agreement_file.ladders import check_escalation, ladders_of, promise_of
from shared.agreement_file.people import check_use, people_of, pools_of, routing_of
from shared.agreement_file.schema import REQUIRED, AgreementBlocks, Feedback
from shared.domain.agreement import Agreement, Approval, Mql, Promise


@dataclass(frozen=True, slots=True)
class Source:
    """Where the blocks come from: the plain content, the text it was read from, and the digest of the content."""

    content: Mapping[str, Any]
    text: str
    digest: str


def build(blocks: AgreementBlocks, source: Source, findings: Findings) -> Agreement:
    """The agreement that the blocks make; whole only when there are no refusals afterwards."""
    for name, how in REQUIRED.items():
        if name not in source.content and not misspelt(name, source.content, AgreementBlocks.model_fields):
            findings.refuse((), "missing", f"`{name}` is missing: {how}")
    zone = blocks.timezone or "UTC"
    effective_from = _instant(blocks.effective_from, zone)
    reader = _reader(blocks, source, findings)
    calendars = calendars_of(blocks.calendars or {}, zone, effective_from, findings)
    ladders = ladders_of(blocks.ladders or {}, findings)
    feedback = blocks.feedback or Feedback()
    agreement = Agreement(
        name=blocks.agreement or "",
        version=blocks.version or 0,
        hash=source.digest,
        text=source.text,
        timezone=zone,
        effective_from=effective_from,
        calendars=calendars,
        mql=mql_of(blocks.definitions.mql, reader) if blocks.definitions else Mql(),
        scoring=scoring_of(blocks.scoring or [], reader),
        people=people_of(blocks.people or [], blocks.calendars, calendars, findings),
        pools=pools_of(blocks.pools or {}, blocks.people, findings),
        routing=routing_of(blocks.routing or [], blocks.pools, reader),
        promises=_promises(blocks, findings),
        ladders=ladders,
        currency=blocks.currency,
        approved_by=_approvals(blocks),
        review=blocks.review.value() if blocks.review else None,
        fields={name: reader.types[name] for name in blocks.fields or {} if name in reader.types},
        reject_reasons=reject_reasons_of(feedback, findings),
        objections=tuple(feedback.objections),
    )
    _check_together(agreement, blocks, source, findings)
    return agreement


def _instant(written: datetime | None, zone: str) -> datetime:
    # Only holidays and the search for an opening hang on the stand-in, and the file is refused anyway.
    local = written or datetime(2026, 1, 1)  # noqa: DTZ001
    return (local if local.tzinfo else local.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def _reader(blocks: AgreementBlocks, source: Source, findings: Findings) -> ConditionReader:
    before = len(findings.refusals)
    types = read_fields(blocks.fields, findings)
    shaped = blocks.fields is not None or "fields" not in source.content
    return ConditionReader(findings, types, all_known=shaped and len(findings.refusals) == before)


def _promises(blocks: AgreementBlocks, findings: Findings) -> dict[str, Promise]:
    if blocks.promises is None:
        return {}
    promise = promise_of(blocks.promises.sales.first_response, blocks.ladders, findings)
    return {promise.name: promise}


def _approvals(blocks: AgreementBlocks) -> dict[str, Approval]:
    if blocks.approved_by is None:
        return {}
    sides = {"marketing": blocks.approved_by.marketing, "sales": blocks.approved_by.sales}
    return {side: Approval(signed.name, signed.on) for side, signed in sides.items()}


def _check_together(agreement: Agreement, blocks: AgreementBlocks, source: Source, findings: Findings) -> None:
    promise = agreement.promises.get("first_response")
    if "scoring" not in source.content or blocks.scoring is not None:
        check_score(agreement.mql, promise.at_least_score if promise else None, blocks.scoring or [], findings)
    if "definitions" not in source.content:
        findings.warn((), "no_definition", "there are no `definitions`: every inquiry counts as a qualified lead")
    if blocks.people is None or blocks.pools is None:
        return
    if blocks.routing is not None:
        check_use(blocks.people, blocks.pools, blocks.routing, findings)
    if promise and promise.ladder in agreement.ladders:
        check_escalation(promise, agreement, findings)
    unused = {("calendars", name) for name in blocks.calendars or {}}
    unused -= {("calendars", person.calendar) for person in blocks.people if person.calendar is not None}
    if promise:
        unused |= {("ladders", name) for name in agreement.ladders if name != promise.ladder}
    for path in unused:
        findings.warn(path, "unused", f"nothing uses `{path[1]}`", key=True)
