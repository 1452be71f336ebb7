"""What is written down and not yet watched: nothing in Baton acts on it.

The only list of it. `agreement check`, `explain`, the agreement's page, readiness and the log go by it, and a test
compares it with what the services read.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from shared.domain.agreement import Agreement

MARK = "written down, not yet watched"

NOT_WATCHED: Mapping[str, Callable[[Agreement], bool]] = MappingProxyType(
    {
        "currency": lambda agreement: agreement.currency is not None,
        "review": lambda agreement: agreement.review is not None,
        "people.role": lambda agreement: any(person.role != "rep" for person in agreement.people.values()),
        "content": lambda agreement: bool(agreement.content),
        "goals": lambda agreement: bool(agreement.goals),
    }
)
"""Keys of the agreement's file that nothing acts on, each with whether an agreement uses it; of a list, a key that any
item may have."""

DESCRIPTIVE = frozenset({"currency", "review", "people.role"})
"""Keys that describe and promise nothing: `agreement check` does not warn of them."""

NOT_WATCHED_IN_EVENTS = (
    "InquiryReceived.touches",
    "ActivityRecorded.objection",
    "ActivityRecorded.content_id",
    "ActivityRecorded.opportunity_id",
    "ActivityRecorded.amount",
)
"""Fields that senders may give, and that Baton stores, publishes and shows, but does not act on."""


def not_watched(agreement: Agreement) -> list[str]:
    """The keys that this agreement uses and nothing acts on."""
    return [name for name, is_used in NOT_WATCHED.items() if is_used(agreement)]


def not_watched_note(agreement: Agreement) -> str | None:
    """The same in a sentence for operators; None if everything that is written acts."""
    names = not_watched(agreement)
    return f"{MARK}: {', '.join(names)}" if names else None
