"""What every block of the file is made of: the kind of mapping, and the small values with how an editor checks them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, get_args

import pydantic

from shared.agreement_file.text import values
from shared.domain.activities import Outcome, PromisedKind
from shared.domain.agreement import Duration
from shared.domain.calendar import Span


class Block(pydantic.BaseModel):
    """One mapping of the file: no other keys than the named ones, and no value is bent to fit."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


def one_of(*names: str) -> pydantic.ConfigDict:
    """For editors: exactly one of these keys. The parser reports this in plainer words."""
    return pydantic.ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in names]})


def _text(pattern: str, *examples: str, **more: str) -> pydantic.WithJsonSchema:
    return pydantic.WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples), **more})


Text = Annotated[str, pydantic.StringConstraints(min_length=1)]
Name = Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
Currency = Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Z]{3}$")]
Mailbox = Annotated[str, pydantic.StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", to_lower=True)]
Address = Annotated[str, pydantic.StringConstraints(pattern=r"^https?://[^\s]+$")]
MAX_INTEGER = 2**31 - 1
"""The largest whole number that every database can store in an integer column."""
MAX_POINTS = 1_000_000
MAX_WEIGHT = 1_000_000
Integer = Annotated[int, pydantic.Field(ge=-MAX_INTEGER, le=MAX_INTEGER)]
Count = Annotated[int, pydantic.Field(ge=1, le=MAX_INTEGER)]
Points = Annotated[int, pydantic.Field(ge=-MAX_POINTS, le=MAX_POINTS)]
Some = pydantic.Field(min_length=1)
"""At least one item."""
Empty: Any = pydantic.Field(default_factory=list)
"""No items when the key is left out."""

_UNITS = r"\d{1,9} (business )?(second|minute|hour|day)s?$"
Length = Annotated[
    Duration,
    pydantic.PlainValidator(values.read_length),
    _text(f"^{_UNITS}", "15 minutes", "8 business hours", "2 business days"),
]
Offset = Annotated[
    Duration,
    pydantic.PlainValidator(values.read_offset),
    _text(f"^-?{_UNITS}", "-5 minutes", "0 minutes", "1 business day"),
]
_KIND = {"enum": list(get_args(PromisedKind))}
_OUTCOMES = {"type": "array", "items": {"enum": list(get_args(Outcome))}, "minItems": 1}
Answer = Annotated[
    values.Answer,
    pydantic.PlainValidator(values.read_answer),
    pydantic.WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"} | _KIND,
                {
                    "type": "object",
                    "propertyNames": _KIND,
                    "additionalProperties": _OUTCOMES,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ]
        }
    ),
]
Times = Annotated[int, pydantic.PlainValidator(values.read_times), _text("^[1-9] times?$", "2 times")]
Every = Annotated[
    str,
    pydantic.PlainValidator(values.read_every),
    _text(r"^[1-9]\d{0,2} (day|week|month)s?$", "2 weeks", "3 months"),
]
Hours = Annotated[
    Span, pydantic.PlainValidator(values.read_hours), _text(r"^\d\d:\d\d ?- ?\d\d:\d\d$", "09:00-12:30", "22:00-06:00")
]
Day = Annotated[date, pydantic.PlainValidator(values.read_day), _text(r"^\d{4}-\d\d-\d\d$", "2026-12-24")]
_DAY_TEXT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}
_TIME_TEXT = {"type": "string", "pattern": r"^\d\d:\d\d$"}
_HOURS_TEXT = {"type": "string", "pattern": r"^\d\d:\d\d ?- ?\d\d:\d\d$"}
Closed = Annotated[
    values.Closure,
    pydantic.PlainValidator(values.read_closure),
    pydantic.WithJsonSchema(
        {
            "anyOf": [
                _DAY_TEXT | {"examples": ["2026-12-24"]},
                {
                    "type": "object",
                    "properties": {
                        "on": _DAY_TEXT,
                        "from": _TIME_TEXT,
                        "to": _TIME_TEXT,
                        "hours": {"type": "array", "items": _HOURS_TEXT, "minItems": 1},
                    },
                    "required": ["on"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
Instant = Annotated[
    datetime, pydantic.PlainValidator(values.read_instant), _text(r"^\d{4}-\d\d-\d\d", "2026-12-01T00:00:00+01:00")
]
End = Annotated[
    datetime,
    pydantic.PlainValidator(values.read_end),
    _text(r"^\d{4}-\d\d-\d\d", "2026-12-27", "2026-12-27T09:00"),
]
Turn = Annotated[
    int,
    pydantic.PlainValidator(values.read_turn),
    _text(r"^(day|week|\d{1,9} (second|minute|hour|day)s?)$", "day", "week", "12 hours"),
]
Zone = Annotated[str, pydantic.PlainValidator(values.read_zone), _text("^[A-Za-z]", "Europe/Brussels", "UTC")]
Share = Annotated[Decimal, pydantic.PlainValidator(values.read_share), _text(r"^\d{1,3}(\.\d{1,4})?%$", "60%")]
Target = Annotated[
    Decimal,
    pydantic.PlainValidator(values.read_target),
    pydantic.WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
]
_WORDS = [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
Wanted = Annotated[
    values.Wanted,
    pydantic.PlainValidator(values.read_wanted),
    pydantic.WithJsonSchema(
        {
            "anyOf": [
                *_WORDS,
                {
                    "type": "object",
                    "properties": {"field": {"type": "string"}},
                    "required": ["field"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]

CONDITION = {"$comment": "condition"}
"""A placeholder for conditions: `docs/agreement.schema.json` has their definition in its place."""
FACT_TYPE = {"$comment": "fact type"}
"""The same for the type of a fact."""

When = Annotated[Any, pydantic.WithJsonSchema(CONDITION)]
"""A condition as written: `shared.agreement_file.conditions` reads it, with the facts that are declared."""
FactKind = Annotated[Any, pydantic.WithJsonSchema(FACT_TYPE)]
"""The type of a fact as written, which `shared.agreement_file.conditions` reads too."""
