"""Plain HTML forms, posted by a browser: urlencoded or multipart, with a thank-you page, CORS and a honeypot.

A form proves nothing about its sender. What protects it is a token in its URL, the pages it may be posted from, and a
field that only machines fill in.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from services.ingest.domain.answers import lead_results
from services.ingest.domain.form_fields import ConsentBox, form_lead
from services.ingest.domain.pending_event import Accepted
from services.ingest.sources import Authentic, Reply, SourceRequest, Submission, Unmappable
from services.ingest.sources.form_body import read_fields
from shared.domain.errors import Problem
from shared.http.problems import Forbidden, WrongMedia, document, problem_headers

_JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Form:
    """One form. Without `token` it is public; without `origins` it may be posted from any page.

    `thank_you` are the pages to redirect to; the first is the default if the form has no `_next`. `fields` maps lead
    fields to form fields whose names are not recognized automatically.
    """

    name: str
    token: str | None = field(default=None, repr=False)
    origins: frozenset[str] = frozenset()
    thank_you: tuple[str, ...] = ()
    honeypot: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    consent: ConsentBox = field(default_factory=ConsentBox)

    def verify(self, received: SourceRequest) -> Authentic:
        """The form's fields. Raises `Forbidden`, `WrongMedia` or `Refused`."""
        if self.token is not None:
            given = received.query.get("token", "")
            if not hmac.compare_digest(self.token.encode(), given.encode()):
                raise Forbidden("The token in this form's URL is missing or wrong. Copy the whole URL into the form.")
        origin = received.headers.get("origin", "null")
        if self.origins and origin != "null" and origin not in self.origins:
            raise Forbidden(f"Forms of this source may not be posted from {origin}. Add it to 'origins' of the source.")
        fields = read_fields(received.headers.get("content-type", ""), received.raw)
        if fields is None:
            raise WrongMedia("Post the form as application/x-www-form-urlencoded or multipart/form-data.")
        # As JSON, since a multipart body has another boundary every time and a repeat could not be known.
        return Authentic(fields, msgspec.json.encode(fields))

    def map(self, authentic: Authentic) -> Sequence[Submission]:
        """The one lead of a form. Raises `Unmappable` when the honeypot was filled in."""
        fields: Mapping[str, Sequence[str]] = authentic.payload
        if self.honeypot is not None and any(fields.get(self.honeypot, ())):
            raise Unmappable("honeypot", f"the field {self.honeypot!r}, which people don't see, was filled in")
        given = {name: values for name, values in fields.items() if name != self.honeypot}
        return [Submission(form_lead(given, self.name, self.fields, self.defaults, self.consent), anonymous=True)]

    def accepted(self, received: SourceRequest, authentic: Authentic, outcomes: Sequence[Accepted]) -> Reply:
        """303 to the thank-you page, or JSON where the request asks for it or no page is configured."""
        if not self.thank_you or _wants_json(received):
            return Reply(200, lead_results(outcomes), (_JSON, *self._cors(received)))
        wanted = authentic.payload.get("_next", [""])[0]
        page = wanted if wanted in self.thank_you else self.thank_you[0]
        return Reply(303, b"", ((b"location", page.encode()), *self._cors(received)))

    def refused(self, received: SourceRequest, problem: Problem) -> Reply | None:
        """A problem document that the form's page may read."""
        return Reply(problem.status, document(problem), (*problem_headers(problem), *self._cors(received)))

    def handshake(self, method: str, received: SourceRequest) -> Reply | None:
        """The browser's question whether the page may post."""
        if method != "OPTIONS":
            return None
        cors = self._cors(received)
        if cors:
            allowed = (b"access-control-allow-methods", b"POST"), (b"access-control-allow-headers", b"content-type")
            cors = (*cors, *allowed, (b"access-control-max-age", b"600"))
        return Reply(204, b"", ((b"allow", b"POST, OPTIONS"), *cors))

    def _cors(self, received: SourceRequest) -> tuple[tuple[bytes, bytes], ...]:
        origin = received.headers.get("origin")
        if origin is None or origin not in self.origins:
            return ()
        return (b"access-control-allow-origin", origin.encode()), (b"vary", b"Origin")


def _wants_json(received: SourceRequest) -> bool:
    accept = received.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept
