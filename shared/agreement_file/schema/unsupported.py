"""What the agreement's design holds and the product does not do yet: refused by name, or read with a warning."""

from collections.abc import Mapping
from typing import Any

from shared.agreement_file.text.findings import Findings, Path
from shared.domain.not_watched import DESCRIPTIVE, NOT_WATCHED

NOT_BUILT: frozenset[Path] = frozenset({("migrate",)})
"""Keys of the agreement's design that are refused by name for now."""

NOT_ENFORCED: tuple[Path, ...] = tuple([tuple(name.split(".")) for name in NOT_WATCHED if name not in DESCRIPTIVE])
"""Blocks that are read and checked with a warning, and that nothing acts on for now; of a list, a key that any item may
have."""


def warn_of_unenforced(content: Mapping[str, Any], findings: Findings) -> None:
    """A warning for each block of the file that has no effect yet."""
    for path in NOT_ENFORCED:
        block: Any = content
        for step in path:
            if isinstance(block, list):
                block = next((item[step] for item in block if isinstance(item, dict) and step in item), None)
            else:
                block = block.get(step) if isinstance(block, dict) else None
        if block:
            name = ".".join(map(str, path))
            unenforced = f"`{name}` is read and checked, but has no effect yet"
            findings.warn(_place(path, content), "not_enforced", unenforced, key=True)


def _place(path: Path, content: Mapping[str, Any]) -> Path:
    """The path, with the index of the first item that has the key if the key is in a list."""
    *block, key = path
    items: Any = content
    for step in block:
        items = items[step] if isinstance(items, dict) else None
    if not isinstance(items, list):
        return path
    return (*block, next(place for place, item in enumerate(items) if isinstance(item, dict) and key in item), key)
