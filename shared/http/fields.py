"""Types for request bodies, query and path parameters: everything that a client sends has a bound."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, TypeVar

import pydantic
from pydantic_core import PydanticCustomError

from shared.domain.errors import Refused
from shared.domain.instants import bounded, bounded_day

_Value = TypeVar("_Value", date, datetime)


def _checked(check: Callable[[_Value], _Value]) -> Callable[[_Value], _Value]:
    def validate(value: _Value) -> _Value:
        try:
            return check(value)
        except Refused as refused:
            raise PydanticCustomError("out_of_range", "{reason}", {"reason": refused.detail.rstrip(".")}) from None

    return validate


Instant = Annotated[pydantic.AwareDatetime, pydantic.AfterValidator(_checked(bounded))]
"""An aware instant in the accepted range, in UTC."""

Day = Annotated[date, pydantic.AfterValidator(_checked(bounded_day))]
"""A date in the accepted range."""


Text = Annotated[str, pydantic.StringConstraints(max_length=500)]
"""A name, an id or a filter in a path or query."""

Number = Annotated[int, pydantic.Field(ge=0, le=2**31 - 1)]
"""A count or a version number."""

Limit = Annotated[int, pydantic.Field(ge=1, le=200)]
"""How many items a page of a list has at most."""

Cursor = Annotated[str, pydantic.StringConstraints(max_length=1_200)]
"""Where the page before ended: `shared.http.cursor` reads it."""


class Body(pydantic.BaseModel):
    """A JSON request body: no unknown fields, and no text of more than 2,000 characters."""

    model_config = pydantic.ConfigDict(extra="forbid", hide_input_in_errors=True, str_max_length=2_000)


class Since(Body):
    """From when on what was published is sent again; all that is retained if it is left out."""

    since: Instant | None = None
