"""The agreement's rules for an activity, as far as they can be checked from the activity alone.

`only_after` of a reject reason needs the lead's history: see `attempts`.
"""

from collections.abc import Callable

from msgspec import structs

from services.ingest.domain.facts import Activity
from shared.domain.activities import reported_stage
from shared.domain.agreement import Agreement
from shared.domain.errors import Refused
from shared.domain.pauses import PAUSING

NEED_CONFIRMATION = ("sql", "opportunity")
"""Stages that need what the agreement has sales confirm for an SQL: a later one needs what an earlier one needs."""


def counted(agreement: Agreement, activity: Activity) -> Activity:
    """The activity as it counts under the agreement: `by` is the id of a person. Raises `Refused`."""
    against = rules_of(agreement)(activity)
    if against is not None:
        raise against
    if activity.by is None:
        return activity
    person = agreement.person_id(activity.by, pointer="/by")
    return activity if person == activity.by else structs.replace(activity, by=person)


def rules_of(agreement: Agreement) -> Callable[[Activity], Refused | None]:
    """The rules on reasons, objections, what a stage needs, and pauses. An agreement that lists no reasons, objections
    or needs takes any.
    """

    def against(activity: Activity) -> Refused | None:
        return next((wrong for rule in _RULES if (wrong := rule(agreement, activity)) is not None), None)

    return against


def _reason(agreement: Agreement, activity: Activity) -> Refused | None:
    reasons = agreement.reject_reasons
    if activity.kind != "rejected" or not reasons:
        return None
    reason = reasons.get(activity.reason or "")
    if reason is None:
        return Refused(f"Unknown reject reason. The agreement has: {', '.join(reasons)}.", pointer="/reason")
    if reason.needs_text and not (activity.text or "").strip():
        return Refused(f"The reject reason '{activity.reason}' needs a sentence in 'text'.", pointer="/text")
    return None


def _objection(agreement: Agreement, activity: Activity) -> Refused | None:
    known = agreement.objections
    if activity.objection is None or not known or activity.objection in known:
        return None
    return Refused(f"Unknown objection. The agreement has: {', '.join(known)}.", pointer="/objection")


def _stage(agreement: Agreement, activity: Activity) -> Refused | None:
    stage = reported_stage(activity.kind, activity.stage)
    if stage not in NEED_CONFIRMATION:
        return None
    missing = agreement.unconfirmed(activity.confirmed)
    if not missing:
        return None
    return Refused(
        f"The agreement (definitions.sql.needs) has sales confirm {', '.join(agreement.sql_needs)} before a lead is an "
        f"SQL or more. Add what is missing to 'confirmed': {', '.join(missing)}.",
        pointer="/confirmed",
    )


def _pause(agreement: Agreement, activity: Activity) -> Refused | None:
    if activity.kind not in PAUSING or any(promise.pause is not None for promise in agreement.promises.values()):
        return None
    return Refused("The agreement has no promise that may be paused (promises.sales.pause).", pointer="/kind")


_RULES: tuple[Callable[[Agreement, Activity], Refused | None], ...] = (_reason, _objection, _stage, _pause)
