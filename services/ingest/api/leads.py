"""`POST /v1/leads`: leads in our own format, answered 202 after the fsync with one result per lead."""

from services.ingest.api.batch import authorised, pending_events
from services.ingest.api.request import Request, endpoint
from services.ingest.domain.answers import lead_results
from services.ingest.domain.identity import Identity
from services.ingest.domain.intake import SubmittedLead, inquiry, normal_lead
from services.ingest.domain.pending_event import PendingEvent
from services.ingest.domain.strict_json import Reader
from services.ingest.spool.writer import Spool
from shared import metrics
from shared.http.asgi import ASGIApp, Send, send_json
from shared.http.keys import Key, Keys
from shared.http.problems import Forbidden

_leads: Reader[SubmittedLead] = Reader(SubmittedLead)


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
        key = authorised(request, keys, "leads:write")
        pending, _ = await pending_events(request, pending_event, key)
        outcomes = await spool.append(pending)
        count.inc(len(outcomes))
        await send_json(send, 202, lead_results(outcomes))

    return endpoint(serve)


def _check_source(source: str, key: Key, configured: frozenset[str]) -> None:
    """Raise `Forbidden` unless the key may post for the source."""
    if "admin" in key.scopes or (source in key.sources if key.sources else source not in configured):
        return
    raise Forbidden(
        f"The key {key.name!r} may not post for the source {source[:100]!r}. Name a source that it may post for, "
        "or add this one to 'sources' of the key."
    )
