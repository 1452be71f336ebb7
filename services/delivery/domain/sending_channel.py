"""A channel as it is stored with a message that is sent through it."""

import msgspec

from shared.domain.agreement import Channel


class SendingChannel(msgspec.Struct, frozen=True):
    """The kind of a channel, and its settings with references in place of secrets."""

    kind: str
    settings: dict[str, str] = {}

    def lane(self, role: str, person: str | None) -> str:
        """What is the same for all messages that go to the same endpoint. Mailboxes count as endpoints of their own."""
        of = sorted(self.settings.items()) if self.kind != "email" else [("role", role), ("person", person or "")]
        return "\x1f".join([self.kind, *(f"{name}={value}" for name, value in of)])


def sending(channel: Channel) -> SendingChannel:
    """The channel of an agreement, to be stored."""
    return SendingChannel(channel.kind, dict(channel.settings))
