"""Which channels a notice takes, in the order in which they are tried."""

from shared.domain.agreement import Agreement, Channel

PAGING = frozenset({"alertmanager", "opsgenie", "pagerduty"})
"""The kinds of channel that wake someone: first choice for a notice that pages."""


def channels_for(agreement: Agreement, role: str, person: str | None, *, page: bool) -> tuple[Channel, ...]:
    """The channels of the person, then those of the role, each once; with `page` those that wake someone go first.

    Empty if the agreement has none for them. `person` is None for a role that is nobody in particular.
    """
    own = [channel for channel in agreement.channels if channel.who == person]
    of_role = [channel for channel in agreement.channels if channel.who == role and channel.who != person]
    found = [*own, *(channel for channel in of_role if not any(_is_same(channel, each) for each in own))]
    if page:
        found.sort(key=lambda channel: channel.kind not in PAGING)
    return tuple(found)


def _is_same(channel: Channel, other: Channel) -> bool:
    return (channel.kind, channel.settings) == (other.kind, other.settings)
