"""Which events a subscriber receives: exact type names, a prefix with `*`, or `*` for all."""

from collections.abc import Iterable, Sequence

from shared.domain.errors import Refused
from shared.domain.events import PUBLIC


def types_of(patterns: Iterable[str]) -> frozenset[str]:
    """The public types that any of the patterns means.

    >>> sorted(types_of(["baton.lead.rea*", "baton.lead.rej*"]))
    ['baton.lead.reassigned.v1', 'baton.lead.rejected.v1']
    """
    return frozenset(name for pattern in patterns for name in PUBLIC if _means(pattern, name))


def vet_patterns(patterns: Sequence[str], pointer: str) -> tuple[str, ...]:
    """The patterns without repeats. Raises `Refused` for one that means no event; `pointer` is the list's place."""
    for index, pattern in enumerate(patterns):
        if not types_of([pattern]):
            raise Refused(
                f"Unknown event type {pattern[:100]!r}. Use '*', a prefix such as 'baton.lead.*', or one of: "
                f"{', '.join(PUBLIC)}.",
                pointer=f"{pointer}/{index}",
            )
    return tuple(dict.fromkeys(patterns))


def _means(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
