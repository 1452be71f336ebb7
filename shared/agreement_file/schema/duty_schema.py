"""The shape of the duty rota: who is a role, and when."""

from typing import Annotated, Literal

import pydantic

from shared.agreement_file.text.block import Block, Empty, End, Instant, Some, Text, Turn, one_of

DutyRole = Literal["ops", "marketing_lead", "sales_lead"]
"""The roles that do not follow from the lead, as its rep and their manager do."""


class OverrideBlock(Block):
    """Who is on duty for a while, whatever the rest says."""

    who: Text
    from_: Instant = pydantic.Field(alias="from")
    to: End


class DutyBlock(Block):
    """Who is a role: by turns, always the same person, or by a calendar."""

    model_config = one_of("rota", "always", "calendar")

    rota: Annotated[list[Text], Some] | None = None
    turn: Turn | None = None
    starts: Instant | None = None
    always: Text | None = None
    calendar: Text | None = None
    override: Annotated[list[OverrideBlock], Empty]
