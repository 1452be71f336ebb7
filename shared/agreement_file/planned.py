"""What the agreement's design holds and the product does not do yet: refused by name, never ignored."""

from shared.agreement_file.findings import Path

_ANY = "*"
NOT_BUILT: frozenset[Path] = frozenset(
    {
        ("decay",),
        ("channels",),
        ("content",),
        ("goals",),
        ("pilots",),
        ("migrate",),
        ("definitions", "sql"),
        ("scoring", _ANY, "cel"),
        ("people", _ANY, "max_open"),
        ("people", _ANY, "max_new_per_day"),
        ("routing", _ANY, "unless_away_for"),
        ("routing", _ANY, "to", "owner"),
        ("routing", _ANY, "to", "only"),
        ("promises", "marketing"),
        ("promises", "operations"),
        ("promises", "sales", "attempts"),
        ("promises", "sales", "disposition"),
        ("feedback", "dispute_within"),
        ("feedback", "reject_reasons", _ANY, "only_after"),
    }
)
"""Keys of the agreement's design that are refused by name for now; `*` is any key or place."""

NOT_BUILT_VALUES: dict[Path, tuple[str, ...]] = {
    ("pools", _ANY, "strategy"): ("least_open",),
    ("ladders", _ANY, _ANY, "tell", _ANY): ("marketing_lead", "sales_lead"),
}
"""Values that the design knows and that are refused by name for now."""


def matching(path: Path, pattern: Path) -> bool:
    """Whether a path in the file is one that the pattern means."""
    return len(path) == len(pattern) and all(want in (_ANY, key) for key, want in zip(path, pattern, strict=True))
