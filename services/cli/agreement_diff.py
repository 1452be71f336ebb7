"""`./baton agreement diff`: the changes between two agreement files, in words."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import msgspec

from services.cli.agreement import load_file
from shared.agreement_text.diff import Difference, differences


def changes(old: Path, new: Path) -> tuple[Difference, ...]:
    """The differences between the agreements in two files. Raises `Misconfigured` if one is refused."""
    return differences(load_file(old), load_file(new))


def render(found: Sequence[Difference], old: Path, new: Path, *, as_json: bool) -> str:
    """The differences by area, as text or JSON."""
    if as_json:
        document = {
            "old": str(old),
            "new": str(new),
            "same": not found,
            "differences": [{"area": change.area, "words": change.words} for change in found],
        }
        return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    if not found:
        return f"{old} and {new} mean the same."
    blocks = (
        "\n".join([area, *(f"  {change.words}" for change in of_area)])
        for area, of_area in groupby(found, key=lambda change: change.area)
    )
    return "\n".join(blocks)
