"""`POST /act/lead`: accepts or rejects a lead by the form behind a link in a message."""

from collections.abc import Mapping

from services.ingest.api.attempts import AttemptsRule
from services.ingest.domain.facts import Activity, Rules, normal_activity, recorded
from services.ingest.domain.identity import Identity
from services.ingest.domain.pending_event import KeyReused
from services.ingest.spool.writer import Spool
from shared import metrics
from shared.domain.action_links import Grant
from shared.domain.errors import Unavailable
from shared.domain.ids import event_id
from shared.domain.printable import printable
from shared.http.action_pages import endpoint
from shared.http.asgi import ASGIApp
from shared.ports import Clock

PATH = "/act/lead"
_SENDER = "message-link"
_LONGEST_REASON, _LONGEST_TEXT = 200, 4_000


def action_endpoint(
    *,
    key: bytes | None,
    clock: Clock,
    spool: Spool,
    identity: Identity,
    rules: Rules | None = None,
    attempts: AttemptsRule | None = None,
) -> ASGIApp:
    """The endpoint. A grant counts once: a second use is known by the id of its activity."""
    count = metrics.facts_accepted.labels("activity")

    async def act(grant: Grant, form: Mapping[str, str]) -> str:
        activity = normal_activity(_activity(grant, form), identity)
        pending = recorded(activity, sender=_SENDER, raw=b"", rules=rules)
        if not spool.announced:
            raise Unavailable("This service is still starting. Send it again in a second.")
        if attempts is not None:
            await attempts.check([activity], [pending])
        try:
            [outcome] = await spool.append([pending])
        except KeyReused:
            return "This link was used before, with another reason. The first one counts."
        count.inc()
        done = "accepted" if grant.action == "accept" else "rejected"
        return f"You {done} this lead already." if outcome.duplicate else f"You {done} the lead."

    return endpoint(key, frozenset({"accept", "reject"}), clock, act)


def _activity(grant: Grant, form: Mapping[str, str]) -> Activity:
    rejects = grant.action == "reject"
    text = printable(form.get("text", "").strip()[:_LONGEST_TEXT], lines=True)
    return Activity(
        kind="rejected" if rejects else "accepted",
        activity_id=event_id(grant.notice_id, grant.action, prefix="link"),
        lead_id=grant.subject,
        by=grant.person,
        reason=printable(form.get("reason", "")[:_LONGEST_REASON]) if rejects else None,
        text=(text or None) if rejects else None,
    )
