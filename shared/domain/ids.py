"""Ids that are computed from what they identify, so that a fact has the same id however often it is announced."""

from hashlib import sha256


def event_id(*parts: object, prefix: str = "ev") -> str:
    """A digest of what identifies a fact.

    >>> event_id("lead", 1) == event_id("lead", 1)
    True
    >>> event_id("lead", 1).partition("_")[0], event_id("lead", 1, prefix="as").partition("_")[0]
    ('ev', 'as')
    """
    return f"{prefix}_{sha256(chr(0x1F).join(map(str, parts)).encode()).hexdigest()[:32]}"


def assignment_id(lead_id: str, generation: int) -> str:
    """The id of a lead's assignment to its owner number `generation`."""
    return event_id("assignment", lead_id, generation, prefix="as")
