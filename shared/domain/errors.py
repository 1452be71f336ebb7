"""Baton's kinds of failure, one class per meaning.

Over HTTP each becomes a problem document with the status named here. On the bus, a `Refused` record is quarantined and
an `Unavailable` one is retried.
"""

from collections.abc import Mapping


class Problem(Exception):
    """A failure with a message for the person who has to act on it.

    `detail` says what is wrong and what to do. `pointer` is a JSON pointer into the request, "" for all of it.
    """

    status = 500
    title = "Something went wrong"

    def __init__(self, detail: str, *, pointer: str = "", status: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer
        if status is not None:
            self.status = status


class Refused(Problem):
    """The caller's fault: 422 over HTTP, quarantine on the bus."""

    status = 422
    title = "The request was refused"


class Unwritable(Refused):
    """Messages that the log will never accept: too big, a key that cannot be encoded, no such topic. Nothing was
    written.

    `reasons` are by the message's index in the call. Retrying never helps: set these aside, then publish the rest.
    """

    def __init__(self, reasons: Mapping[int, str]) -> None:
        super().__init__(next(iter(reasons.values())))
        self.reasons = reasons


class NotFound(Problem):
    """It does not exist."""

    status = 404
    title = "Not found"


class Conflict(Problem):
    """It conflicts with the current state."""

    status = 409
    title = "Not possible as things stand"


class Unavailable(Problem):
    """Not now: the caller, or we, should try again after `retry_after_s` seconds. Nothing was half applied."""

    status = 503
    title = "Not available right now"

    def __init__(self, detail: str, *, retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Misconfigured(Problem):
    """A setting, file or dependency is wrong at startup; the process prints it on stderr and exits with 2."""

    title = "Baton can't start"
