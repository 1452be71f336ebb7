"""What the agreement's design holds and the product does not do yet: refused by name, or read with a warning."""

from collections.abc import Mapping
from typing import Any

from shared.agreement_file.findings import Findings, Path

NOT_BUILT: frozenset[Path] = frozenset({("migrate",)})
"""Keys of the agreement's design that are refused by name for now."""

NOT_ENFORCED: tuple[Path, ...] = (("channels",), ("content",), ("goals",), ("promises", "marketing"))
"""Blocks that are read and checked, and that nothing acts on for now."""


def warn_of_unenforced(content: Mapping[str, Any], findings: Findings) -> None:
    """A warning for each block of the file that has no effect yet."""
    for path in NOT_ENFORCED:
        block: Any = content
        for step in path:
            block = block.get(step) if isinstance(block, dict) else None
        if block:
            name = ".".join(map(str, path))
            findings.warn(path, "not_enforced", f"`{name}` is read and checked, but has no effect yet", key=True)
