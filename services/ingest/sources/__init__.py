"""Configured sources: the interface of a platform's module, from raw bytes to leads.

A payload is authenticated on its raw bytes before it is parsed. If it is authentic but cannot be mapped, it is
quarantined and the response is a success, because platforms stop sending to a URL that fails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.ingest.domain.intake import SubmittedLead
from services.ingest.domain.pending_event import Accepted
from shared.domain.errors import Problem, Refused


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """A request as it came: the raw body, headers with lower-case names, the query."""

    raw: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Authentic:
    """An authenticated payload. `redacted` are the bytes that may be stored: without keys or secrets."""

    payload: Any = field(repr=False)
    redacted: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Submission:
    """One lead in a payload. `test` if the platform marked it as a test; `anonymous` if anyone may have sent it."""

    lead: SubmittedLead
    test: bool = False
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole response."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()


class Unmappable(Refused):
    """The payload is authentic, but no lead can be made of it; `code` is for machines, `detail` for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Source(Protocol):
    """A configured way in. `name` is the last part of its URL and the `source` of its inquiries."""

    @property
    def name(self) -> str:
        """The last part of its URL."""
        ...

    def verify(self, received: SourceRequest) -> Authentic:
        """The payload. Raises a `Problem` (400, 401, 403, 415) when it can't be read or its sender is unknown."""
        ...

    def map(self, authentic: Authentic) -> Sequence[Submission]:
        """The leads in it. Raises `Unmappable`."""
        ...

    def accepted(self, received: SourceRequest, authentic: Authentic, outcomes: Sequence[Accepted]) -> Reply:
        """The response to a payload that was accepted or quarantined."""
        ...

    def refused(self, received: SourceRequest, problem: Problem) -> Reply | None:
        """The response to a problem; None for a problem document."""
        ...

    def handshake(self, method: str, received: SourceRequest) -> Reply | None:
        """The response to a request other than POST; None if this source does not support the method."""
        ...
