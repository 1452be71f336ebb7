"""Pilots of the file: other agreements, in drafts next to it, for some of the leads."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.agreement_file.conditions.condition_reader import ConditionReader
from shared.agreement_file.schema.agreement_schema import PilotBlock
from shared.agreement_file.text.findings import Findings, Path
from shared.domain.agreement import Agreement, Pilot


def pilots_of(
    blocks: Sequence[PilotBlock], drafts: Mapping[str, Agreement], reader: ConditionReader
) -> tuple[Pilot, ...]:
    """The pilots whose drafts could be read. Refuses duplicate names, and a scope that is not a condition."""
    pilots = []
    reader.findings.refuse_repeated((block.name for block in blocks), ("pilots",), "name")
    for index, block in enumerate(blocks):
        path: Path = ("pilots", index)
        scope = reader.read(block.scope, (*path, "scope"))
        if scope is not None and block.agreement in drafts:
            pilots.append(Pilot(block.name, scope, drafts[block.agreement], block.mode))
    return tuple(pilots)


def refuse_pilots_of_a_draft(content: Mapping[str, Any], findings: Findings) -> None:
    """Refuses pilots in a draft."""
    if "pilots" in content:
        findings.refuse(("pilots",), "wrong_value", "a draft has no pilots of its own: remove the block", key=True)
