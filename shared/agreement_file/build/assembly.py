"""Builds the agreement from its blocks, with the checks that need more than one block.

A block that is missing or was refused is None. What depends on it is not checked, so that an error is reported once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.agreement_file.build import content_and_goals, promises, qualification
from shared.agreement_file.build.calendars import PublicHolidays, calendars_of
from shared.agreement_file.build.channels import channels_of, warn_of_channels
from shared.agreement_file.build.duty import duty_of
from shared.agreement_file.build.ladders import check_escalations, ladders_of
from shared.agreement_file.build.people import people_of, pools_of, queues_of
from shared.agreement_file.build.pilots import pilots_of
from shared.agreement_file.build.quiet_hours import quiet_hours_of
from shared.agreement_file.build.routing import check_use, routing_of
from shared.agreement_file.build.silences import silences_of
from shared.agreement_file.conditions.condition_reader import ConditionReader
from shared.agreement_file.conditions.fields import read_fields
from shared.agreement_file.schema.agreement_schema import REQUIRED, AgreementBlocks
from shared.agreement_file.schema.promise_schema import Feedback
from shared.agreement_file.schema.unsupported import warn_of_unenforced
from shared.agreement_file.text.findings import Findings, misspelt
from shared.agreement_file.text.values import instant_in
from shared.domain.agreement import Agreement, Mql
from shared.domain.approvals import Approval
from shared.domain.zones import time_zone


@dataclass(frozen=True, slots=True)
class AgreementSource:
    """The source of the blocks: the parsed content, its text, its digest, the texts of the files that it names, the
    drafts that could be parsed, and the public holidays that are known already, to which others are added.
    """

    content: Mapping[str, Any]
    text: str
    digest: str
    files: Mapping[str, str]
    drafts: Mapping[str, Agreement]
    holidays: PublicHolidays


def build(blocks: AgreementBlocks, source: AgreementSource, findings: Findings) -> Agreement:
    """The agreement from the blocks; complete only if there are no errors afterward."""
    for name, how in REQUIRED.items():
        if name not in source.content and not misspelt(name, source.content, AgreementBlocks.model_fields):
            findings.refuse((), "missing", f"`{name}` is missing: {how}")
    zone = blocks.timezone or "UTC"
    effective_from = _instant(blocks.effective_from, zone)
    reader = _reader(blocks, source, findings)
    calendars = calendars_of(blocks.calendars or {}, zone, effective_from, source.holidays, findings)
    people = people_of(blocks.people or [], blocks.calendars, calendars, findings, on_leave=blocks.on_leave or "pause")
    pools = pools_of(blocks.pools or {}, blocks.people, blocks.queues or {}, findings)
    agreement = Agreement(
        name=blocks.agreement or "",
        version=blocks.version or 0,
        hash=source.digest,
        text=source.text,
        timezone=zone,
        effective_from=effective_from,
        calendars=calendars,
        mql=qualification.mql_of(blocks.definitions.mql, reader) if blocks.definitions else Mql(),
        scoring=qualification.scoring_of(blocks.scoring or [], reader),
        people=people,
        pools=pools,
        routing=routing_of(blocks.routing or [], blocks.pools, blocks.people, reader),
        promises={},
        ladders=ladders_of(blocks.ladders or {}, findings),
        currency=blocks.currency,
        approved_by=_approvals(blocks),
        review=blocks.review.value() if blocks.review else None,
        fields={name: reader.types[name] for name in blocks.fields or {} if name in reader.types},
        half_life_s=qualification.half_life_of(blocks.decay, findings),
        sql_needs=qualification.sql_needs_of(blocks.definitions.sql if blocks.definitions else None, findings),
        queues=queues_of(blocks.queues or {}, pools, people, findings),
    )
    agreement = _with_feedback(_with_promises(agreement, blocks, reader), blocks, source, reader)
    warn_of_unenforced(source.content, findings)
    _check_together(agreement, blocks, source, findings)
    return agreement


def _instant(written: datetime | None, zone: str) -> datetime:
    # The placeholder only affects holidays and the search for an opening, and the file is refused anyway.
    local = written or datetime(2026, 1, 1)  # noqa: DTZ001
    return instant_in(local, time_zone(zone))


def _reader(blocks: AgreementBlocks, source: AgreementSource, findings: Findings) -> ConditionReader:
    before = len(findings.refusals)
    types = read_fields(blocks.fields, findings)
    shaped = blocks.fields is not None or "fields" not in source.content
    return ConditionReader(findings, types, all_known=shaped and len(findings.refusals) == before)


def _approvals(blocks: AgreementBlocks) -> dict[str, Approval]:
    if blocks.approved_by is None:
        return {}
    sides = {"marketing": blocks.approved_by.marketing, "sales": blocks.approved_by.sales}
    return {side: Approval(signed.name, signed.on) for side, signed in sides.items()}


def _with_promises(agreement: Agreement, blocks: AgreementBlocks, reader: ConditionReader) -> Agreement:
    written, ladders, findings = blocks.promises, blocks.ladders, reader.findings
    if written is None:
        return agreement
    return replace(
        agreement,
        promises=promises.sales_promises_of(written.sales, ladders, reader),
        operations=promises.operations_of(written.operations, ladders, findings, agreement.mql.hand_off_within),
        commitments=promises.commitments_of(written.marketing, ladders, reader),
    )


def _with_feedback(
    agreement: Agreement, blocks: AgreementBlocks, source: AgreementSource, reader: ConditionReader
) -> Agreement:
    findings, feedback = reader.findings, blocks.feedback or Feedback.model_validate({})
    given = None if blocks.promises is None else list(agreement.promises)
    known = None if blocks.feedback is None and "feedback" in source.content else feedback.objections
    return replace(
        agreement,
        reject_reasons=qualification.reject_reasons_of(feedback, given, findings),
        objections=tuple(feedback.objections),
        dispute_within=feedback.dispute_within,
        duty=duty_of(blocks.duty or {}, blocks.people, agreement, source.files, findings),
        silences=silences_of(blocks.silences or [], agreement, findings),
        quiet_hours=quiet_hours_of(blocks.quiet_hours, agreement.people if blocks.people else None, findings),
        channels=channels_of(blocks.channels or {}, blocks.people, findings),
        content=content_and_goals.content_of(blocks.content or [], known, findings),
        goals=content_and_goals.goals_of(blocks.goals or [], agreement.effective_from, agreement.timezone, findings),
        pilots=pilots_of(blocks.pilots or [], source.drafts, reader),
        files=source.files,
        holidays=dict(source.holidays),
    )


def _check_together(agreement: Agreement, blocks: AgreementBlocks, source: AgreementSource, findings: Findings) -> None:
    if "scoring" not in source.content or blocks.scoring is not None:
        qualification.check_score(agreement.mql, agreement.promises, blocks.scoring or [], findings)
    if "definitions" not in source.content:
        findings.warn((), "no_definition", "there are no `definitions`: every inquiry counts as a qualified lead")
    if blocks.people is None or blocks.pools is None:
        return
    if blocks.routing is not None:
        check_use(
            blocks.people, blocks.pools, blocks.routing, {queue.owner for queue in agreement.queues.values()}, findings
        )
    check_escalations(agreement, findings)
    warn_of_channels(agreement, findings)
    unused = {("calendars", name) for name in blocks.calendars or {}}
    unused -= {("calendars", person.calendar) for person in blocks.people if person.calendar is not None}
    if blocks.promises is not None:
        climbed = {each.ladder for each in (*agreement.promises.values(), *agreement.operations.values())}
        climbed |= {each.ladder for each in agreement.commitments.values()}
        unused |= {("ladders", name) for name in agreement.ladders if name not in climbed}
    for path in unused:
        findings.warn(path, "unused", f"nothing uses `{path[1]}`", key=True)
