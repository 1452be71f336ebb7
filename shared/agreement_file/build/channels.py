"""The channels of the file: for each role or person one, or several in the order in which they are tried."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, get_args

from shared.agreement_file.schema.agreement_schema import PersonBlock
from shared.agreement_file.schema.duty_schema import DutyRole
from shared.agreement_file.schema.promise_schema import Role
from shared.agreement_file.text.findings import Findings, Path, proposal
from shared.domain.agreement import Agreement, Channel
from shared.domain.duty import Duty

KINDS: Mapping[str, tuple[str, ...]] = {
    "email": (),
    "slack": ("url_from", "token_from", "channel_from"),
    "teams": ("url_from",),
    "pagerduty": ("routing_key_from", "url_from"),
    "opsgenie": ("key_from", "url_from"),
    "alertmanager": ("url_from", "authorization_from"),
    "apprise": ("url_from",),
    "webhook": ("url_from", "secret_from", "authorization_from", "template_from"),
}
"""The kinds of channel with their settings, the first of which is needed (Slack's `token_from` and `channel_from` stand
for it). All refer to a secret stored elsewhere.
"""

_ROLES: tuple[str, ...] = get_args(Role)
_DUTY_ROLES: tuple[str, ...] = get_args(DutyRole)
_REFERENCE = re.compile(r"env:[A-Z_][A-Z0-9_]*|file:/\S+", re.ASCII)
_HOW = "write where it is kept, like `env:SLACK_URL` or `file:/run/secrets/slack`"


def channels_of(
    blocks: Mapping[str, Any], people: Sequence[PersonBlock] | None, findings: Findings
) -> tuple[Channel, ...]:
    """The channels, in the order of the file. Refuses unknown roles, people and kinds, a channel that is listed twice,
    and secrets in the file itself. `people` is None if they could not be read.
    """
    known = None if people is None else [person.id for person in people]
    made: list[Channel] = []
    for who, written in blocks.items():
        _check_key(who, known, findings)
        made += _channels(who, written, findings)
    return tuple(made)


def warn_of_channels(agreement: Agreement, findings: Findings) -> None:
    """A warning for each ladder that notifies a role for which there is no channel, and for each e-mail to a role that
    is never anyone. Without any channel there is none: the events are all that someone wants.
    """
    if not agreement.channels:
        return
    reached = {channel.who for channel in agreement.channels}
    for ladder in agreement.ladders.values():
        for role in dict.fromkeys(role for step in ladder.steps for role in step.tell if role not in reached):
            people = _people(role, agreement)
            if missing := sorted(people - reached):
                whom = f", who can be {', '.join(missing)}"
            elif not people:
                whom = ""
            else:
                continue
            nobody = f"ladder `{ladder.name}` tells `{role}`{whom}, but there is no channel: add `{role}` to `channels`"
            findings.warn(("ladders", ladder.name), "no_channel", nobody, key=True)
    for channel in agreement.channels:
        if channel.kind == "email" and channel.who in _DUTY_ROLES and channel.who not in agreement.duty:
            unknown = f"`email` has no address, since nobody is `{channel.who}`: say who that is in `duty`"
            findings.warn(("channels", channel.who), "no_address", unknown, key=True)


def _check_key(who: str, people: Collection[str] | None, findings: Findings) -> None:
    path: Path = ("channels", who)
    if people is None:
        return
    if who in _ROLES and who in people:
        both = f"`{who}` is a role and a person, and both get these channels: give the person another id"
        findings.warn(path, "ambiguous", both, key=True)
    elif who not in _ROLES and who not in people:
        unknown = f"unknown role or person `{who}`{proposal(who, [*_ROLES, *people])}"
        findings.refuse(path, "unknown_recipient", unknown, key=True)


def _channels(who: str, written: object, findings: Findings) -> Iterator[Channel]:
    path: Path = ("channels", who)
    if not isinstance(written, list):
        yield from _of_one(who, written, path, findings)
        return
    if not written:
        findings.refuse(path, "wrong_value", f"`{who}` is empty: write at least one")
    earlier: list[Channel] = []
    for index, item in enumerate(written):
        here: Path = (*path, index)
        found = list(_of_one(who, item, here, findings))
        if isinstance(item, dict) and len(item) != 1:
            one = "one channel for each item, in the order in which they are tried: `[{slack: ...}, {email: {}}]`"
            findings.refuse(here, "wrong_value", one)
        for channel in found:
            if channel in earlier:
                findings.refuse(here, "duplicate", f"`{channel.kind}` is listed twice with the same settings: keep one")
        earlier += found
    yield from earlier


def _of_one(who: str, written: object, path: Path, findings: Findings) -> Iterator[Channel]:
    kinds = _mapping(written, path, findings)
    if len(kinds) > 1 and path == ("channels", who):
        order = f"say which of {', '.join(kinds)} comes first by a list: `{who}: [{{slack: ...}}, {{email: {{}}}}]`"
        findings.warn(path, "no_order", order, key=True)
    for kind, settings in kinds.items():
        place: Path = (*path, kind)
        if kind not in KINDS:
            findings.refuse_unknown(place, "channel", kind, KINDS, key=True)
        elif settings is not None:
            texts = _settings(kind, _mapping(settings, place, findings), place, findings)
            if isinstance(settings, dict):
                _check_needed(kind, settings, place, findings)
            yield Channel(who, kind, texts)


def _mapping(written: object, path: Path, findings: Findings) -> Mapping[str, Any]:
    """What is written, if it is a mapping; else nothing. Other values are not shown, since they may be a secret."""
    if isinstance(written, dict):
        return written
    if written is not None:  # a key without a value is reported by the YAML
        name = f"`{path[-1]}`" if isinstance(path[-1], str) else "this item"
        wrong = f"{name} should be a mapping (lines like `key: value`), not `...`"
        findings.refuse(path, "wrong_type", wrong)
    return {}


def _settings(kind: str, written: Mapping[str, Any], path: Path, findings: Findings) -> dict[str, str]:
    for name, value in written.items():
        if f"{name}_from" in KINDS[kind]:
            secret = f"`{name}` would stand here for everyone to read: use `{name}_from` and {_HOW}"
            findings.refuse((*path, name), "secret", secret, key=True)
        elif name not in KINDS[kind]:
            findings.refuse_unknown((*path, name), "setting", name, KINDS[kind], key=True)
        elif value is not None and not (isinstance(value, str) and _REFERENCE.fullmatch(value)):
            # The value may be the secret itself, which then must not be shown.
            findings.refuse((*path, name), "secret", f"`{name}` does not say where the secret is kept: {_HOW}")
    return {name: value for name, value in written.items() if isinstance(value, str)}


def _check_needed(kind: str, settings: Mapping[str, Any], path: Path, findings: Findings) -> None:
    needed = "channel_from" if {"token", "token_from"} & set(settings) else next(iter(KINDS[kind]), None)
    if needed and not set(settings) & {needed, needed.removesuffix("_from")}:
        findings.refuse(path, "missing", f"`{kind}` needs `{needed}`: {_HOW}")


def _people(role: str, agreement: Agreement) -> set[str]:
    """Everyone who can be this role by the agreement."""
    if role in _DUTY_ROLES:
        return _on_duty(agreement.duty.get(role, Duty()))
    owners = [person for person in agreement.owners if person.active]
    if role == "manager":
        return {person.reports_to for person in owners if person.reports_to is not None}
    return {person.id for person in owners}


def _on_duty(duty: Duty) -> set[str]:
    always = (duty.always,) if duty.always is not None else ()
    turns = duty.rota.people if duty.rota is not None else ()
    return {*always, *turns, *(shift.person for shift in (*duty.shifts, *duty.overrides))}
