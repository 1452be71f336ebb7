"""Problem documents (RFC 9457): what a client gets when a request fails."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from shared.domain.errors import Problem, Unavailable
from shared.http.asgi import Send, send_response


class Unauthorised(Problem):
    """No key, or one that we don't know."""

    status = 401
    title = "A key is needed"


class Forbidden(Problem):
    """The key is good, but not for this."""

    status = 403
    title = "The key does not allow this"


class Misdirected(Problem):
    """The request names a host that is not ours."""

    status = 421
    title = "Sent to the wrong host"


class WrongMedia(Problem):
    """A kind of body that is not read here."""

    status = 415
    title = "Not this kind of body"


def document(problem: Problem, errors: Sequence[Mapping[str, str]] = ()) -> bytes:
    """The problem document for an error. `errors` are its parts, each with `pointer` and `detail`; by default the one
    that its pointer names.
    """
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.pointer:
        errors = [{"pointer": problem.pointer, "detail": problem.detail}]
    if errors:
        body["errors"] = errors
    return msgspec.json.encode(body)


def problem_headers(problem: Problem) -> list[tuple[bytes, bytes]]:
    """Headers that go with the document: its media type, and `Retry-After` or `WWW-Authenticate` where they belong."""
    headers = [(b"content-type", b"application/problem+json")]
    if isinstance(problem, Unavailable):
        headers.append((b"retry-after", str(problem.retry_after_s).encode()))
    if isinstance(problem, Unauthorised):
        headers += [
            (b"www-authenticate", b"Bearer"),
            (b"www-authenticate", b'Basic realm="Baton", charset="UTF-8"'),
        ]
    return headers


async def send_problem(send: Send, problem: Problem) -> None:
    """Answer from a plain ASGI app with the problem document."""
    await send_response(send, problem.status, document(problem), problem_headers(problem))
