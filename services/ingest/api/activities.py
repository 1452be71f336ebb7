"""`POST /v1/activities`: what sales did, answered 202 after the fsync with one result per activity."""

from services.ingest.api.attempts import AttemptsRule
from services.ingest.api.batch import authorised, pending_events
from services.ingest.api.request import Request, endpoint
from services.ingest.domain.answers import activity_results
from services.ingest.domain.dating import SCOPE, Dating
from services.ingest.domain.facts import Activity, Rules, normal_activity, recorded
from services.ingest.domain.identity import Identity
from services.ingest.domain.pending_event import PendingEvent
from services.ingest.domain.strict_json import Reader
from services.ingest.spool.writer import Spool
from shared import metrics
from shared.domain.errors import Unavailable
from shared.http.asgi import ASGIApp, Send, send_json
from shared.http.keys import Key, Keys

_activities: Reader[Activity] = Reader(Activity)


def activities_endpoint(
    *,
    spool: Spool,
    keys: Keys,
    identity: Identity,
    rules: Rules,
    dating: Dating,
    attempts: AttemptsRule | None = None,
) -> ASGIApp:
    """`POST /v1/activities`, for keys with the scope `activities:write`; `rules` and `attempts` are the agreement's.
    Keys that may date what they report as `dating` allows have another scope as well.
    """
    count = metrics.facts_accepted.labels("activity")

    async def serve(request: Request, send: Send) -> None:
        activities: list[Activity] = []

        def pending_event(raw: bytes, sent_key: str | None, key: Key) -> PendingEvent:
            activity = normal_activity(_activities.read(raw), identity)
            activities.append(activity)
            happened_at, refused = dating.judged(activity, trusted=key.may(SCOPE))
            return recorded(
                activity,
                sender=key.name,
                raw=raw,
                sent_key=sent_key,
                rules=rules,
                happened_at=happened_at,
                refused=refused,
            )

        key = authorised(request, keys, "activities:write")
        pending, listed = await pending_events(request, pending_event, key)
        if not spool.announced:
            raise Unavailable("This service is still starting. Send it again in a second.")
        if attempts is not None:
            await attempts.check(activities, pending, listed=listed)
        outcomes = await spool.append(pending)
        count.inc(len(outcomes))
        await send_json(send, 202, activity_results(pending, outcomes))

    return endpoint(serve)
