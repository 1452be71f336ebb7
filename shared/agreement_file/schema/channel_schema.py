"""The shape of the channels of a role or person, for editors. The parser checks it in plainer words."""

from typing import Annotated, Any

import pydantic

_SETTINGS = {"type": "object", "additionalProperties": {"type": "string"}}
_BY_KIND = {"type": "object", "additionalProperties": _SETTINGS}
_IN_ORDER = {"type": "array", "minItems": 1, "items": _BY_KIND | {"minProperties": 1, "maxProperties": 1}}

Channels = Annotated[Any, pydantic.WithJsonSchema({"anyOf": [_BY_KIND, _IN_ORDER]})]
"""One channel with its settings, or a list of such, in the order in which they are tried."""
