"""`./baton channels test`: sends a test message through each channel of a role or person, and says what happened."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from services.delivery.channels import Notifier
from services.delivery.channels.http_client import DEADLINE_S
from services.delivery.domain.channel_choice import PAGING, channels_for
from services.delivery.domain.notice import Notice, Recipient
from services.delivery.domain.outcome import Outcome
from services.delivery.notifying import notifier
from shared import agreement_file
from shared.agreement_file.schema.duty_schema import DutyRole
from shared.agreement_file.schema.promise_schema import Role
from shared.clock import SystemClock, new_id
from shared.domain.agreement import Agreement, Channel
from shared.domain.duty import on_duty
from shared.domain.errors import Refused
from shared.settings import Settings, read

_ROLES: tuple[str, ...] = get_args(Role)
_ADDRESSES = ("url_from", "api_from")
_DUTY_ROLES: tuple[str, ...] = get_args(DutyRole)


@dataclass(frozen=True, slots=True)
class Report:
    """What to show, and whether every channel took the message."""

    lines: tuple[str, ...]
    all_taken: bool


@dataclass(frozen=True, slots=True)
class _Reached:
    """Who the message is for, in which role, and through which channels."""

    role: str
    person: str | None
    channels: tuple[Channel, ...]


def send_tests(environ: Mapping[str, str], who: str, deadline_s: float = DEADLINE_S) -> Report:
    """Send one message through each channel of `who`, a role or a person of the agreement in BATON_AGREEMENT.

    Raises `Refused` for someone unknown or without a channel, and `Misconfigured`.
    """
    agreement = agreement_file.load(read(Settings, environ).agreement).agreement
    now = SystemClock().now()
    reached = _reached(agreement, who, now)
    if not reached.channels:
        raise Refused(f"The agreement has no channel for {who}. Add `{who}` to its `channels`.")
    outcomes = asyncio.run(_send(environ, agreement, reached, now, deadline_s))
    results = [_line(channel, outcome) for channel, outcome in zip(reached.channels, outcomes, strict=True)]
    return Report((*_head(reached), *results), all(outcome.state == "taken" for outcome in outcomes))


def _reached(agreement: Agreement, who: str, now: datetime) -> _Reached:
    if who in _ROLES:
        person = on_duty(agreement.duty, who, now).person if who in _DUTY_ROLES else None
        return _Reached(who, person, channels_for(agreement, who, person, page=False))
    person = agreement.find_person(who)
    if person is None:
        known = ", ".join([*_ROLES, *agreement.people])
        raise Refused(f"Unknown role or person {who!r}. Give one of: {known}.")
    roles = [role for role in _ROLES if person == _now(agreement, role, person, now)]
    ways = [way for role in roles or ["rep"] for way in channels_for(agreement, role, person, page=False)]
    once = tuple(way for place, way in enumerate(ways) if way not in ways[:place])
    return _Reached(" and ".join(roles), person, once)


def _now(agreement: Agreement, role: str, person: str, now: datetime) -> str | None:
    """The person if they are, or may be for a lead, this role now."""
    if role in _DUTY_ROLES:
        return on_duty(agreement.duty, role, now).person
    owners = agreement.owners
    found = {each.id for each in owners} if role == "rep" else {each.reports_to for each in owners}
    return person if person in found else None


async def _send(
    environ: Mapping[str, str], agreement: Agreement, reached: _Reached, now: datetime, deadline_s: float
) -> list[Outcome]:
    async with notifier(environ, SystemClock(), deadline_s=deadline_s) as sender:
        sending = [_one(sender, _notice(agreement, reached, now), channel) for channel in reached.channels]
        return await asyncio.gather(*sending)


async def _one(sender: Notifier, notice: Notice, channel: Channel) -> Outcome:
    if channel.kind == "email" and not notice.recipient.email:
        return Outcome("failed", f"it goes to the address of whoever is {notice.recipient.role}, and nobody is now")
    return await sender.send(notice, channel.kind, channel.settings)


def _notice(agreement: Agreement, reached: _Reached, now: datetime) -> Notice:
    person = agreement.people.get(reached.person or "")
    email = person.email if person is not None else ""
    notice_id = f"test-{new_id()}"
    return Notice(
        notice_id=notice_id,
        incident_id=notice_id,
        kind="test",
        page=False,
        at=now,
        due_at=now,
        zone=agreement.timezone,
        promise="test",
        recipient=Recipient(reached.role or "rep", reached.person or reached.role, email),
    )


def _head(reached: _Reached) -> Iterator[str]:
    if reached.role in _DUTY_ROLES:
        yield f"{reached.role} is {reached.person or 'nobody'} now."
    elif reached.person is None:
        yield f"Who {reached.role} is depends on the lead. To test someone's own channels, give their id."
    elif reached.role:
        yield f"{reached.person} is reached as {reached.role}."


def _line(channel: Channel, outcome: Outcome) -> str:
    whose = f"{channel.who}, {channel.kind}"
    if outcome.state == "taken":
        close = "; close it there if it stays open" if channel.kind in PAGING else ""
        return f"{whose}: sent ({outcome.why}{close})"
    then = "would be tried again" if outcome.state == "retry" else "the next channel would be tried"
    return " ".join(filter(None, (f"{whose}: NOT sent, {then}: {outcome.why.rstrip('.')}.", _advice(channel, outcome))))


def _advice(channel: Channel, outcome: Outcome) -> str:
    """What to check, by the names under which the agreement has it."""
    references = {name: value for name, value in channel.settings.items() if name.endswith("_from")}
    addresses = [value for name, value in references.items() if name in _ADDRESSES]
    secrets = [value for name, value in references.items() if name not in _ADDRESSES]
    if outcome.about == "secret":
        return f"Check {', '.join(secrets or addresses)}." if references else ""
    if outcome.about != "address":
        return ""
    if channel.kind == "email":
        return "Check BATON_DELIVERY_MAIL_SERVER."
    if addresses:
        return f"Check the address in {', '.join(addresses)}."
    return f"Check whether this machine reaches {channel.kind}."
