"""How one attempt to send a notice ended: taken, worth another try, or never to be sent this way."""

from dataclasses import dataclass
from typing import Literal, TypeVar

import msgspec

from services.delivery.domain.endpoint import NOT_PUBLIC
from services.delivery.domain.retry import EndpointResponse

_TRY_LATER = (408, 425, 429)
_NOT_THERE = (404, 405, 410)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`taken` by the receiver, `retry` (not before `retry_after_s`, if it asked for that) or `failed` for good. With
    `unsure`, the receiver may have taken it all the same.

    `why` is for people, and contains no secret and nothing about a buyer. `about` is what a person should check: the
    channel's address, its secret, or nothing of the two.
    """

    state: Literal["taken", "retry", "failed"]
    why: str
    retry_after_s: float | None = None
    unsure: bool = False
    about: Literal["address", "secret", ""] = ""


class Unsendable(Exception):
    """The notice can't be sent this way, whatever the receiver does; the message says what to change."""


def outcome_of(answer: EndpointResponse, detail: str = "") -> Outcome:
    """What the HTTP status means, with the receiver's own words in `detail`.

    >>> outcome_of(EndpointResponse(503)).state
    'retry'
    >>> outcome_of(EndpointResponse(404), "no_service").why
    'answered 404: no_service'
    """
    status = answer.status
    if status is None:
        state: Literal["failed", "retry"] = "failed" if answer.forbidden else "retry"
        return Outcome(state, _problem(answer), unsure=answer.sent, about="address")
    if 300 <= status < 400:
        return Outcome("failed", f"answered {status}: redirects are not followed", about="address")
    why = f"answered {status}" + (f": {detail}" if detail else "")
    if 200 <= status < 300:
        return Outcome("taken", why)
    if status in _TRY_LATER or status >= 500:
        return Outcome("retry", why, answer.retry_after_s, unsure=status >= 500)
    return Outcome("failed", why, about="address" if status in _NOT_THERE else "secret")


def _problem(answer: EndpointResponse) -> str:
    if answer.forbidden and NOT_PUBLIC in answer.problem:
        return f"{answer.problem.rstrip('.')}. A host of your own network must be in BATON_DELIVERY_INTERNAL_HOSTS."
    return answer.problem


def read_json(content: str | bytes, kind: type[T]) -> T | None:
    """The content as this type; None for anything else, also for nesting that no reader survives."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def not_understood(answer: EndpointResponse) -> Outcome:
    """The receiver answered a success that is not its own: something else may have answered in its place."""
    why = f"answered {answer.status} with something that the service never answers"
    return Outcome("retry", why, unsure=True, about="address")


def of_service(answer: EndpointResponse, *, its_own: bool) -> Outcome:
    """What came of it at a service whose successes are known: one that is not `its_own` is not understood."""
    made = outcome_of(answer)
    return not_understood(answer) if made.state == "taken" and not its_own else made
