"""Channels, content and goals of the file."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from shared.agreement_file.schema import agreement_schema
from shared.agreement_file.schema.promise_schema import Role
from shared.agreement_file.text.findings import Findings, Path
from shared.domain.agreement import Channel
from shared.domain.content_and_goals import Content, Goal

KINDS: Mapping[str, tuple[str, ...]] = {
    "email": (),
    "slack": ("url_from", "token_from", "channel_from"),
    "teams": ("url_from",),
    "pagerduty": ("routing_key_from", "url_from"),
    "opsgenie": ("key_from", "url_from"),
    "alertmanager": ("url_from", "authorization_from"),
    "webhook": ("url_from", "secret_from", "authorization_from", "template_from"),
}
"""The kinds of channel with their settings, the first of which is needed (Slack's `token_from` and `channel_from` stand
for it). All refer to a secret stored elsewhere.
"""

_REFERENCE = re.compile(r"env:[A-Z_][A-Z0-9_]*|file:/\S+", re.ASCII)
_HOW = "write where it is kept, like `env:SLACK_URL` or `file:/run/secrets/slack`"


def channels_of(blocks: Mapping[Role, Mapping[str, Mapping[str, str]]], findings: Findings) -> tuple[Channel, ...]:
    """The channel of each role, in the order of the file. Refuses unknown kinds, and secrets in the file itself."""
    made = []
    for role, kinds in blocks.items():
        for kind, settings in kinds.items():
            path: Path = ("channels", role, kind)
            if kind not in KINDS:
                findings.refuse_unknown(path, "channel", kind, KINDS, key=True)
                continue
            _check_settings(kind, settings, path, findings)
            made.append(Channel(role, kind, dict(settings)))
    return tuple(made)


def _check_settings(kind: str, settings: Mapping[str, str], path: Path, findings: Findings) -> None:
    for name, value in settings.items():
        if f"{name}_from" in KINDS[kind]:
            secret = f"`{name}` would stand here for everyone to read: use `{name}_from` and {_HOW}"
            findings.refuse((*path, name), "secret", secret, key=True)
        elif name not in KINDS[kind]:
            findings.refuse_unknown((*path, name), "setting", name, KINDS[kind], key=True)
        elif not _REFERENCE.fullmatch(value):
            # The value may be the secret itself, which then must not be shown.
            findings.refuse((*path, name), "secret", f"`{name}` does not say where the secret is kept: {_HOW}")
    needed = "channel_from" if {"token", "token_from"} & set(settings) else next(iter(KINDS[kind]), None)
    if needed and not set(settings) & {needed, needed.removesuffix("_from")}:
        findings.refuse(path, "missing", f"`{kind}` needs `{needed}`: {_HOW}")


def content_of(
    blocks: Sequence[agreement_schema.ContentBlock], objections: Collection[str] | None, findings: Findings
) -> tuple[Content, ...]:
    """The material. Refuses duplicate ids, and answers to unknown objections."""
    findings.refuse_repeated((block.id for block in blocks), ("content",), "id")
    for index, block in enumerate(blocks):
        path: Path = ("content", index)
        for place, objection in enumerate(block.answers):
            if objections is not None and objection not in objections:
                findings.refuse_unknown((*path, "answers", place), "objection", objection, objections)
    return tuple(Content(each.id, each.title, each.url, tuple(each.answers), each.owner) for each in blocks)


def goals_of(
    blocks: Sequence[agreement_schema.GoalBlock], effective_from: datetime, zone: str, findings: Findings
) -> tuple[Goal, ...]:
    """The goals. Refuses names that are given twice, and dates before the agreement takes effect."""
    findings.refuse_repeated((block.name for block in blocks), ("goals",), "name")
    for index, block in enumerate(blocks):
        path: Path = ("goals", index)
        starts = effective_from.astimezone(ZoneInfo(zone)).date()
        if block.by < starts:
            over = f"`{block.by}` is over before the agreement takes effect on {starts}: write a later date"
            findings.refuse((*path, "by"), "past", over)
    return tuple(Goal(each.name, each.kpi, each.target, each.by, each.celebrate_in) for each in blocks)
