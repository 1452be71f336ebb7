"""The few kinds of failure that Baton tells apart, one class per meaning.

A door turns each into a problem document with the status named here; on the bus a `Refused` record is
quarantined and an `Unavailable` one is tried again.
"""

from collections.abc import Mapping


class Problem(Exception):
    """A failure with a sentence for the person who has to act on it.

    `detail` says what is wrong and what to do. `pointer` is a JSON pointer into what was sent, "" for the whole.
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
    """The caller's fault: 422 at a door, quarantine on the bus."""

    status = 422
    title = "The request was refused"


class Unwritable(Refused):
    """Messages that the log will never take: too big, a key that can't be encoded, no such topic. Nothing was written.

    `reasons` says why, by the message's index among those that were to be published. Sending them again never helps:
    set these aside, then publish the rest.
    """

    def __init__(self, reasons: Mapping[int, str]) -> None:
        super().__init__(next(iter(reasons.values())))
        self.reasons = reasons


class NotFound(Problem):
    """There is no such thing."""

    status = 404
    title = "Not found"


class Conflict(Problem):
    """It can't be done as things stand."""

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
    """A setting, file or part is wrong at start; the process says so on stderr and exits with 2."""

    title = "Baton can't start"
