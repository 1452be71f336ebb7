"""What an activity must be: a fact from sales or the CRM about one lead, which it names in one of three ways."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, structs

from services.ingest.domain.contact_keys import normal_email
from services.ingest.domain.identity import (
    Identity,
    digest,
    digest_of_bytes,
    digest_of_content,
    known_lead_id,
    lead_of_inquiry,
    with_format,
)
from services.ingest.domain.intake import Instant
from services.ingest.domain.pending_event import DAY_S, DEDUPE_S, PendingEvent, within_limit
from shared.domain.activities import SALES_STAGES, ActivityKind, stage_named
from shared.domain.errors import Refused
from shared.domain.events import ActivityRecorded
from shared.domain.instants import bounded
from shared.domain.lead import LeadStage

_NEEDS = {
    "rejected": "reason",
    "paused": "reason",
    "objection": "objection",
    "content_used": "content_id",
    "stage": "stage",
}
_encode = msgspec.json.Encoder().encode


class Amount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Money: a decimal as text, and a currency of three letters."""

    value: Annotated[str, Meta(pattern=r"^-?\d{1,15}(\.\d{1,6})?$")]
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class Activity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One item of `POST /v1/activities`. The fields of `ActivityRecorded`, and the ways to name the lead."""

    kind: ActivityKind
    activity_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    lead_id: str | None = None
    inquiry_id: str | None = None
    email: str | None = None
    by: str | None = None
    occurred_at: Instant | None = None
    outcome: Literal["connected", "no_answer", "voicemail", "bounced"] | None = None
    reason: str | None = None
    text: str | None = None
    objection: str | None = None
    content_id: str | None = None
    stage: str | None = None
    opportunity_id: str | None = None
    amount: Amount | None = None
    confirmed: Annotated[tuple[str, ...], Meta(max_length=50)] = ()


Rules = Callable[[Activity], Activity]
"""The activity as it counts under the agreement in force, with `by` as the person's id. Raises `Refused`."""


def lead_named(activity: Activity, identity: Identity) -> str:
    """The id of the lead that the activity is about. Raises `Refused` unless it is named in exactly one way."""
    named = [name for name in ("lead_id", "inquiry_id", "email") if getattr(activity, name) is not None]
    if len(named) != 1:
        given = " and ".join(named) or "none"
        raise Refused(
            f"Identify the lead by exactly one of lead_id, inquiry_id and email; this has {given}.", pointer=""
        )
    if activity.lead_id is not None:
        return known_lead_id(activity.lead_id)
    if activity.inquiry_id is not None:
        return lead_of_inquiry(activity.inquiry_id)
    return identity.lead_id(email=normal_email(activity.email or ""), phone=None)


def normal_activity(activity: Activity, identity: Identity) -> Activity:
    """The activity, naming its lead by `lead_id` only. Raises `Refused` for what its kind must not lack."""
    needed = _NEEDS.get(activity.kind)
    if needed is not None and not getattr(activity, needed):
        raise Refused(f"An activity of kind '{activity.kind}' needs '{needed}'.", pointer=f"/{needed}")
    if activity.confirmed and activity.kind not in ("stage", "opportunity"):
        raise Refused("Only an activity of kind 'stage' or 'opportunity' may have 'confirmed'.", pointer="/confirmed")
    changes: dict[str, Any] = {"lead_id": lead_named(activity, identity), "inquiry_id": None, "email": None}
    if activity.stage:
        changes["stage"] = _stage(activity.stage)
    if activity.occurred_at is not None:
        changes["occurred_at"] = bounded(activity.occurred_at, pointer="/occurred_at")
    return structs.replace(activity, **changes)


def _stage(text: str) -> LeadStage:
    stage = stage_named(text)
    if stage is None:
        raise Refused(f"Unknown stage. An activity may report: {', '.join(SALES_STAGES)}.", pointer="/stage")
    return stage


def recorded(
    activity: Activity,
    *,
    sender: str,
    raw: bytes,
    sent_key: str | None = None,
    rules: Rules | None = None,
    happened_at: datetime | None = None,
    refused: Refused | None = None,
) -> PendingEvent:
    """The draft of a normal activity from the API key `sender`, under the agreement's `rules`, if there is one.
    Promises count it from `happened_at`, if that is given.

    A repeat is known by its `activity_id`, else by `sent_key`, else for a day by its bytes `raw`; each only among what
    `sender` sent. What is `refused`, or not allowed by the agreement, is taken only as a repeat. Raises `TooLarge`.
    """
    counted, against = _counted(activity, rules)
    own_id, key_name = activity.activity_id, ""
    if own_id is not None:
        key, key_name = digest("activity", "id", sender, own_id), f"The activity_id {own_id!r}"
    elif sent_key:
        key = digest("activity", "sent", sender, sent_key)
        key_name = f"The Idempotency-Key {sent_key.partition(chr(10))[0]!r}"
    else:
        key = digest_of_bytes("activity", sender, raw)
    body = within_limit(_encode(counted))
    # A repeat has the content that the sender sent, whoever is meant by it under the agreement in force now.
    content = digest_of_content(body if counted is activity else _encode(activity)) if key_name else ""
    return PendingEvent(
        type=ActivityRecorded.TYPE,
        topic=ActivityRecorded.TOPIC,
        lead_id=activity.lead_id or "",
        repeat_key=key,
        repeat_s=DEDUPE_S if key_name else DAY_S,
        id="act_" + digest(key, content)[:24] if key_name else "act_",
        timed=not key_name,
        head=_head if own_id is None else _head_with_own_id,
        body=_with(body, sender=sender if own_id is not None else None, happened_at=happened_at),
        content=with_format(content),
        key_name=key_name,
        shown_id=own_id or "",
        happened_at=happened_at,
        refused=refused or against,
    )


def _counted(activity: Activity, rules: Rules | None) -> tuple[Activity, Refused | None]:
    """The activity as it counts, and what the rules have against it."""
    try:
        return (rules(activity) if rules is not None else activity), None
    except Refused as against:
        return activity, against


def _with(body: bytes, **more: object) -> bytes:
    """The JSON of an object with those of these fields that are not None, which it does not have yet."""
    for name, value in more.items():
        if value is not None:
            body = b'{"' + name.encode() + b'":' + _encode(value) + b"," + body[1:]
    return body


def _head(fact_id: str, at: str, _lead_id: str) -> str:
    return f'{{"activity_id":{fact_id},"accepted_at":{at},'


def _head_with_own_id(_fact_id: str, at: str, _lead_id: str) -> str:
    return f'{{"accepted_at":{at},'
