"""Content and goals of the file."""

from collections.abc import Collection, Sequence
from datetime import datetime

from shared.agreement_file.schema import agreement_schema
from shared.agreement_file.text.findings import Findings, Path
from shared.domain.content_and_goals import Content, Goal
from shared.domain.zones import time_zone


def content_of(
    blocks: Sequence[agreement_schema.ContentBlock], objections: Collection[str] | None, findings: Findings
) -> tuple[Content, ...]:
    """The material. Refuses duplicate ids, and answers to unknown objections."""
    findings.refuse_repeated((block.id for block in blocks), ("content",), "id")
    for index, block in enumerate(blocks):
        path: Path = ("content", index)
        for place, objection in enumerate(block.answers):
            if objections is not None and objection not in objections:
                findings.refuse_unknown((*path, "answers", place), "objection", objection, objections)
    return tuple(Content(each.id, each.title, each.url, tuple(each.answers), each.owner) for each in blocks)


def goals_of(
    blocks: Sequence[agreement_schema.GoalBlock], effective_from: datetime, zone: str, findings: Findings
) -> tuple[Goal, ...]:
    """The goals. Refuses names that are given twice, and dates before the agreement takes effect."""
    findings.refuse_repeated((block.name for block in blocks), ("goals",), "name")
    for index, block in enumerate(blocks):
        path: Path = ("goals", index)
        starts = effective_from.astimezone(time_zone(zone)).date()
        if block.by < starts:
            over = f"`{block.by}` is over before the agreement takes effect on {starts}: write a later date"
            findings.refuse((*path, "by"), "past", over)
    return tuple(Goal(each.name, each.kpi, each.target, each.by, each.celebrate_in) for each in blocks)
