"""Pilots of the file: other agreements, in drafts next to it, for some of the leads."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from shared.agreement_file.conditions.condition_reader import ConditionReader
from shared.agreement_file.schema.agreement_schema import PilotBlock
from shared.agreement_file.text.findings import Findings, Path
from shared.domain.agreement import Agreement, Pilot


def draft_names(content: Mapping[str, Any]) -> dict[str, Path]:
    """The drafts that the pilots of a file name, each with the place of its first mention."""
    pilots = content.get("pilots")
    names: dict[str, Path] = {}
    for index, pilot in enumerate(pilots if isinstance(pilots, list) else ()):
        name = pilot.get("agreement") if isinstance(pilot, dict) else None
        if isinstance(name, str) and name:
            names.setdefault(name, ("pilots", index, "agreement"))
    return names


def is_next_to_it(name: str) -> bool:
    """Whether a draft's name stays in the folder of the agreement, or below it."""
    path = pathlib.PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


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
