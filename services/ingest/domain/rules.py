"""What the agreement in force has against an activity, as far as the activity alone can tell."""

from services.ingest.domain.facts import Activity, Rules
from shared.domain.agreement import Agreement
from shared.domain.errors import Refused


def rules_of(agreement: Agreement) -> Rules:
    """The rules on reasons and objections. An agreement that lists none takes any."""

    def against(activity: Activity) -> Refused | None:
        reasons, objections = agreement.reject_reasons, agreement.objections
        if activity.kind == "rejected" and reasons:
            reason = reasons.get(activity.reason or "")
            if reason is None:
                listed = ", ".join(reasons)
                return Refused(f"The agreement has no such reject reason. It has: {listed}.", pointer="/reason")
            if reason.needs_text and not (activity.text or "").strip():
                return Refused(f"The reject reason '{activity.reason}' needs a sentence in 'text'.", pointer="/text")
        if activity.objection is not None and objections and activity.objection not in objections:
            listed = ", ".join(objections)
            return Refused(f"The agreement has no such objection. It has: {listed}.", pointer="/objection")
        return None

    return against
