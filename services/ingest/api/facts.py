"""The doors for our own formats: `POST /v1/leads` and `POST /v1/activities`.

Answered 202 after the fsync, with one result per item. One bad item refuses the whole request and nothing is stored.
"""

from collections.abc import Callable

import msgspec

from services.ingest.api.request import LARGEST_ITEM, Request, WrongMethod, answer_json, endpoint
from services.ingest.domain.answers import activity_results, lead_results
from services.ingest.domain.facts import Activity, Rules, normal_activity, recorded
from services.ingest.domain.identity import Identity
from services.ingest.domain.intake import SubmittedLead, inquiry, normal_lead
from services.ingest.domain.items import each, split
from services.ingest.domain.pending_event import PendingEvent
from services.ingest.domain.strict_json import NotJson, Reader
from services.ingest.spool.writer import Spool
from shared import metrics
from shared.domain.errors import Refused, Unavailable
from shared.http.asgi import ASGIApp, Send
from shared.http.auth import Key, Keys
from shared.http.problems import Forbidden, WrongMedia

_JSON = ("application/json", "")
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
_LONGEST_KEY = 255
_leads: Reader[SubmittedLead] = Reader(SubmittedLead)
_activities: Reader[Activity] = Reader(Activity)


def leads_endpoint(
    *, spool: Spool, keys: Keys, identity: Identity, configured: frozenset[str] = frozenset()
) -> ASGIApp:
    """`POST /v1/leads`, for keys with the scope `leads:write`, each for its own sources.

    `configured` are the sources that have an address of their own: only keys that name them may post for these.
    """

    def pending_event(raw: bytes, sent_key: str | None, key: Key) -> PendingEvent:
        lead = normal_lead(_leads.read(raw))
        _check_source(lead.source or "", key, configured)
        return inquiry(lead, identity=identity, sender=f"key:{key.name}", raw=raw, sent_key=sent_key)

    count = metrics.facts_accepted.labels("lead")

    async def serve(request: Request, send: Send) -> None:
        key = _authorised(request, keys, "leads:write")
        outcomes = await spool.append(await _pending_events(request, pending_event, key))
        count.inc(len(outcomes))
        await answer_json(send, 202, lead_results(outcomes))

    return endpoint(serve)


def activities_endpoint(*, spool: Spool, keys: Keys, identity: Identity, rules: Rules | None = None) -> ASGIApp:
    """`POST /v1/activities`, for keys with the scope `activities:write`; `rules` are the agreement's."""

    def pending_event(raw: bytes, sent_key: str | None, key: Key) -> PendingEvent:
        normal = normal_activity(_activities.read(raw), identity)
        against = rules(normal) if rules is not None else None
        if against is not None:
            raise against
        return recorded(normal, sender=key.name, raw=raw, sent_key=sent_key)

    count = metrics.facts_accepted.labels("activity")

    async def serve(request: Request, send: Send) -> None:
        key = _authorised(request, keys, "activities:write")
        pending_events = await _pending_events(request, pending_event, key)
        if not spool.announced:
            raise Unavailable("This service is still starting. Send it again in a second.")
        outcomes = await spool.append(pending_events)
        count.inc(len(outcomes))
        await answer_json(send, 202, activity_results(pending_events, outcomes))

    return endpoint(serve)


def clock_door(*, spool: Spool, keys: Keys) -> ASGIApp:
    """`POST /v1/clock/accept`, for keys with the scope `operate`: this machine's clock is right, though it was
    stepped.
    """

    async def serve(request: Request, send: Send) -> None:
        _authorised(request, keys, "operate")
        await spool.accept_clock()
        await answer_json(send, 200, msgspec.json.encode({"instance": spool.instance, "clock": "accepted"}))

    return endpoint(serve)


def _authorised(request: Request, keys: Keys, scope: str) -> Key:
    if request.method != "POST":
        raise WrongMethod(request.method, "POST")
    return keys.authorise(request.header(b"authorization"), scope)


def _check_source(source: str, key: Key, configured: frozenset[str]) -> None:
    """Raise `Forbidden` unless the key may post for the source."""
    if "admin" in key.scopes or (source in key.sources if key.sources else source not in configured):
        return
    raise Forbidden(
        f"The key {key.name!r} may not post for the source {source[:100]!r}. Name a source that it may post for, "
        "or add this one to 'sources' of the key."
    )


async def _pending_events(
    request: Request, pending_event: Callable[[bytes, str | None, Key], PendingEvent], key: Key
) -> list[PendingEvent]:
    media = request.media_type()
    if media not in _JSON and media not in _LINES:
        raise WrongMedia(f"Send 'Content-Type: application/json', or '{_LINES[0]}' for one item per line.")
    sent_key = request.header(b"idempotency-key")
    if sent_key is not None and not 0 < len(sent_key) <= _LONGEST_KEY:
        raise Refused(f"Idempotency-Key must have 1 to {_LONGEST_KEY} characters.", status=400)
    body = await request.body()

    def made(raw: bytes, number: int) -> PendingEvent:
        return pending_event(raw, f"{sent_key}\n{number}" if sent_key else None, key)

    try:
        return each(body, split(body, lines=media in _LINES), made, largest=LARGEST_ITEM)
    except NotJson as wrong:
        if wrong.why == "trailing characters":
            wrong.detail += f" For several items send an array, or one a line with 'Content-Type: {_LINES[0]}'."
        raise
