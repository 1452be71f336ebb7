"""The door for sources: `POST /v1/sources/{source}`, and what a platform's handshake needs.

Size, authenticity, then durable receipt, then the answer that the sender expects.
"""

from collections.abc import Mapping, Sequence

from services.ingest.domain.draft import Draft, KeyReused, Outcome
from services.ingest.domain.identity import Identity
from services.ingest.domain.intake import forgiving_lead, inquiry, quarantined
from services.ingest.request import LARGEST_ITEM, Request, WrongMethod, door, tell_problem
from services.ingest.sources import Authentic, Received, Reply, Source, Unmappable
from services.ingest.spool import Spool
from shared import metrics
from shared.domain.errors import NotFound, Problem, Refused
from shared.http import Door, Send, answer

PREFIX = "/v1/sources/"


class SourceDoor:
    """Serves all configured sources."""

    def __init__(self, *, sources: Mapping[str, Source], spool: Spool, identity: Identity) -> None:
        self._sources = sources
        self._spool = spool
        self._identity = identity
        self._count = metrics.facts_accepted.labels("submission")

    def app(self) -> Door:
        """The ASGI app."""
        return door(self._serve, self._tell)

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
        outcomes = await self._keep(source, authentic)
        self._count.inc(len(outcomes))
        await _send(send, source.accepted(received, authentic, outcomes))

    def _source(self, request: Request) -> Source:
        name = request.path.removeprefix(PREFIX)
        if name not in self._sources:
            raise NotFound("There is no such source. Check the URL against the file that BATON_SOURCES names.")
        return self._sources[name]

    async def _keep(self, source: Source, authentic: Authentic) -> Sequence[Outcome]:
        """Keep the leads in it, or else all of it, set aside with the reason."""
        try:
            return await self._spool.keep(self._drafts(source, authentic))
        except KeyReused as reused:
            aside = self._quarantined(source, authentic, "key_reused", reused.detail)
        except Refused as wrong:
            code = wrong.code if isinstance(wrong, Unmappable) else "not_a_lead"
            aside = self._quarantined(source, authentic, code, wrong.detail)
        return await self._spool.keep([aside])

    def _drafts(self, source: Source, authentic: Authentic) -> Sequence[Draft]:
        return [
            inquiry(
                forgiving_lead(submission.lead),
                identity=self._identity,
                sender=f"source:{source.name}",
                raw=authentic.kept,
                anonymous=submission.anonymous,
                test=submission.test,
            )
            for submission in source.map(authentic)
        ]

    def _quarantined(self, source: Source, authentic: Authentic, code: str, detail: str) -> Draft:
        return quarantined(identity=self._identity, source=source.name, raw=authentic.kept, code=code, detail=detail)

    async def _tell(self, request: Request, send: Send, problem: Problem) -> None:
        source = self._sources.get(request.path.removeprefix(PREFIX))
        reply = source.refused(_received(request, b""), problem) if source is not None else None
        if reply is None or isinstance(problem, WrongMethod):
            await tell_problem(request, send, problem)
            return
        metrics.payloads_refused.labels(str(problem.status)).inc()
        await _send(send, reply)


def _received(request: Request, raw: bytes) -> Received:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.items()}
    return Received(raw, headers, request.query())


async def _send(send: Send, reply: Reply) -> None:
    await answer(send, reply.status, reply.body, reply.headers)
