"""The shape of silences: when promises notify nobody."""

from typing import Literal

import pydantic

from shared.agreement_file.text.block import Block, End, Instant, Text


class MatchesBlock(Block):
    """The promises to which a silence applies; a key that is left out matches all."""

    promise: Text | None = None
    owner: Text | None = None
    pool: Text | None = None
    side: Literal["sales", "marketing", "operations"] | None = None


class SilenceBlock(Block):
    """A time in which the steps of ladders notify nobody, such as maintenance."""

    from_: Instant = pydantic.Field(alias="from")
    to: End
    reason: Text
    matches: MatchesBlock | None = None
