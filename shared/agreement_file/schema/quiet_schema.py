"""The shape of quiet hours: when a role or person is not notified."""

from typing import Annotated, Literal

import pydantic

from shared.agreement_file.text.values import read_hours, shown
from shared.domain.calendar import Span


def read_quiet(written: object) -> "tuple[Span, ...] | Literal['page']":
    """Hours of the day, or `page`, which is what `except` may say. Raises ValueError."""
    if written == "page":
        return "page"
    if not isinstance(written, list) or not written:
        raise ValueError(f"{shown(written)} are no quiet hours: write them like `[20:00-07:00]`")
    return tuple(map(read_hours, written))


_HOURS = {"type": "string", "pattern": r"^\d\d:\d\d ?- ?\d\d:\d\d$", "examples": ["20:00-07:00"]}
Quiet = Annotated[
    tuple[Span, ...] | Literal["page"],
    pydantic.PlainValidator(read_quiet),
    pydantic.WithJsonSchema({"anyOf": [{"type": "array", "items": _HOURS, "minItems": 1}, {"const": "page"}]}),
]
"""The quiet hours of a role or person; `page` for the key `except`."""
