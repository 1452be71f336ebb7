"""Which rejections the agreement allows only after a promise was kept, and whether what is recorded is enough."""

from collections.abc import Sequence

from services.ingest.domain.facts import Activity
from shared.domain.activities import DECISIVE, FAILED, REACHED
from shared.domain.agreement import Agreement
from shared.domain.attempts import RecordedAttempts
from shared.domain.errors import Refused


def promise_before(agreement: Agreement, activity: Activity) -> str | None:
    """The promise that must be kept before this rejection; None if it may come at any time."""
    if activity.kind != "rejected":
        return None
    rule = agreement.reject_reasons.get(activity.reason or "")
    return rule.only_after if rule is not None else None


def still_missing(found: RecordedAttempts, lead_id: str, earlier: Sequence[Activity]) -> int:
    """How many attempts are missing, counting those in the same request before the rejection (`earlier`)."""
    here = sum(_worth(found, each) for each in earlier if each.lead_id == lead_id)
    return max(found.needed - found.recorded - here, 0)


def too_early(found: RecordedAttempts, missing: int, reason: str, *, pointer: str) -> Refused:
    """The refusal of a rejection for which so many attempts are missing."""
    return Refused(
        f"{found.needed - missing} of {found.needed} attempts recorded; the reject reason {reason!r} may be used only "
        f"after the promised {found.promise.replace('_', ' ')}. Record {missing} more ({', '.join(found.met_by)}), "
        f"or choose another reason.",
        pointer=pointer,
    )


def _worth(found: RecordedAttempts, activity: Activity) -> int:
    if activity.kind not in found.met_by:
        return 0
    wanted = found.outcomes.get(activity.kind)
    succeeded = activity.outcome != FAILED if wanted is None else activity.outcome in (None, *wanted)
    if not succeeded:
        return 0
    return found.needed if activity.kind in DECISIVE or activity.outcome == REACHED else 1
