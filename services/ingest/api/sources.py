"""The endpoint for sources: `POST /v1/sources/{source}`, and what a platform's handshake needs.

Size, authenticity, then durable receipt, then the answer that the sender expects.
"""

from collections.abc import Mapping, Sequence

from services.ingest.api.request import LARGEST_ITEM, Request, WrongMethod, endpoint, send_problem
from services.ingest.domain.identity import Identity
from services.ingest.domain.intake import forgiving_lead, inquiry, quarantined
from services.ingest.domain.pending_event import Accepted, KeyReused, PendingEvent
from services.ingest.sources import Authentic, Reply, Source, SourceRequest, Unmappable
from services.ingest.spool.writer import Spool
from shared import metrics
from shared.domain.errors import NotFound, Problem, Refused
from shared.http.asgi import ASGIApp, Send, send_response

PREFIX = "/v1/sources/"


class SourceEndpoint:
    """Serves all configured sources."""

    def __init__(self, *, sources: Mapping[str, Source], spool: Spool, identity: Identity) -> None:
        self._sources = sources
        self._spool = spool
        self._identity = identity
        self._count = metrics.facts_accepted.labels("submission")

    def app(self) -> ASGIApp:
        """The ASGI app."""
        return endpoint(self._serve, self._send_problem)

    async def _serve(self, request: Request, send: Send) -> None:
        source = self._source(request)
        if request.method != "POST":
            reply = source.handshake(request.method, _received(request, b""))
            if reply is None:
                raise WrongMethod(request.method, "POST")
            await _send(send, reply)
            return
        received = _received(request, await request.body(LARGEST_ITEM))
        authentic = source.verify(received)
        outcomes = await self._store(source, authentic)
        self._count.inc(len(outcomes))
        await _send(send, source.accepted(received, authentic, outcomes))

    def _source(self, request: Request) -> Source:
        name = request.path.removeprefix(PREFIX)
        if name not in self._sources:
            raise NotFound("Unknown source. Compare the URL with the file that BATON_SOURCES names.")
        return self._sources[name]

    async def _store(self, source: Source, authentic: Authentic) -> Sequence[Accepted]:
        """Store its leads, or quarantine all of it with the reason."""
        try:
            return await self._spool.append(self._pending_events(source, authentic))
        except KeyReused as reused:
            aside = self._quarantined(source, authentic, "key_reused", reused.detail)
        except Refused as wrong:
            code = wrong.code if isinstance(wrong, Unmappable) else "not_a_lead"
            aside = self._quarantined(source, authentic, code, wrong.detail)
        return await self._spool.append([aside])

    def _pending_events(self, source: Source, authentic: Authentic) -> Sequence[PendingEvent]:
        return [
            inquiry(
                forgiving_lead(submission.lead),
                identity=self._identity,
                sender=f"source:{source.name}",
                raw=authentic.redacted,
                anonymous=submission.anonymous,
                test=submission.test,
            )
            for submission in source.map(authentic)
        ]

    def _quarantined(self, source: Source, authentic: Authentic, code: str, detail: str) -> PendingEvent:
        return quarantined(
            identity=self._identity, source=source.name, raw=authentic.redacted, code=code, detail=detail
        )

    async def _send_problem(self, request: Request, send: Send, problem: Problem) -> None:
        source = self._sources.get(request.path.removeprefix(PREFIX))
        reply = source.refused(_received(request, b""), problem) if source is not None else None
        if reply is None or isinstance(problem, WrongMethod):
            await send_problem(request, send, problem)
            return
        metrics.payloads_refused.labels(str(problem.status)).inc()
        await _send(send, reply)


def _received(request: Request, raw: bytes) -> SourceRequest:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.items()}
    return SourceRequest(raw, headers, request.query())


async def _send(send: Send, reply: Reply) -> None:
    await send_response(send, reply.status, reply.body, reply.headers)
